// One wait with an array, by each of the four calls, and what must hold of its answer:
// - What stood before the call, and nobody has read, is reported: after a change that no shim sees, within a period.
// - What is reported can be read, if nobody else has begun to.
// - A number at which a file stands is not said to be closed, and one at which none stands is.
#include <cerrno>
#include <poll.h>
#include <sys/select.h>

#include "consumer.hpp"
#include "figures.hpp"

namespace crowd {

namespace {

enum class Call : uint8_t { poll, ppoll, select, pselect };
constexpr const char* kNames[] = {"poll", "ppoll", "select", "pselect"};

struct Before {
  uint32_t version, begun, consumed, produced;
  unsigned channel;
  bool steady, quiet, closed, silent, stopped;
};

struct Wait {
  Call call;
  unsigned count;
  int64_t timeout_ns;  // below 0: none
  int64_t start_ns;
  sig_atomic_t handled;
  int result, error;
  short revents[kEntries];
  int numbers[kEntries];
  short events[kEntries];
  unsigned slots[kEntries];
  Before before[kEntries];
  fd_set sets[2];
  sigset_t mask, inside;
};

Before look(const Consumer& consumer, unsigned index) {
  const Slot& slot = round_now->slots[index];
  Before before;
  before.stopped = round_now->stopped;
  before.version = slot.version;
  before.steady = before.version % 2 == 0 && !(consumer.in_child && slot.foreign);
  before.closed = slot.closed;
  before.silent = slot.silent;
  before.channel = slot.channel;
  uint32_t done = slot.done;
  before.begun = slot.begun;
  before.quiet = before.begun == done;
  const Channel& channel = round_now->channels[before.channel];
  before.consumed = channel.consumed;
  before.produced = channel.produced;
  return before;
}

void publish(Consumer& consumer, const Wait& wait) {
  Watched& watched = consumer.watched;
  watched.call = kNames[static_cast<unsigned>(wait.call)];
  for (unsigned i = 0; i < wait.count; ++i) {
    watched.slots[i] = wait.slots[i];
    watched.versions[i] = wait.before[i].version;
    watched.numbers[i] = wait.numbers[i];
    watched.events[i] = wait.events[i];
  }
  watched.count = wait.count;
  watched.since_ns = wait.start_ns;
}

int call_select(Wait& wait, Array& array, timespec* timeout, const sigset_t* mask) {
  int bound = 0;
  FD_ZERO(&wait.sets[0]);
  FD_ZERO(&wait.sets[1]);
  for (unsigned i = 0; i < wait.count; ++i) {
    int fd = array.entries[i].fd;
    FD_SET(fd, &wait.sets[0]);
    if (array.entries[i].events & POLLPRI) FD_SET(fd, &wait.sets[1]);
    if (fd >= bound) bound = fd + 1;
  }
  if (wait.call == Call::pselect) return pselect(bound, &wait.sets[0], nullptr, &wait.sets[1], timeout, mask);
  timeval in_us = {};
  if (timeout != nullptr) in_us = {timeout->tv_sec, timeout->tv_nsec / 1000};
  return select(bound, &wait.sets[0], nullptr, &wait.sets[1], timeout == nullptr ? nullptr : &in_us);
}

int make_call(Consumer& consumer, Wait& wait, Array& array) {
  timespec time = {wait.timeout_ns / 1'000'000'000, wait.timeout_ns % 1'000'000'000};
  timespec* timeout = wait.timeout_ns < 0 ? nullptr : &time;
  const sigset_t* mask = consumer.shut != 0 ? &wait.inside : nullptr;
  switch (wait.call) {
    case Call::poll:
      return poll(array.entries, wait.count, timeout == nullptr ? -1 : static_cast<int>(wait.timeout_ns / 1'000'000));
    case Call::ppoll: return ppoll(array.entries, wait.count, timeout, mask);
    default: return call_select(wait, array, timeout, mask);
  }
}

// The answer as poll would give it, for all four.
void copy_answer(Wait& wait, const Array& array) {
  for (unsigned i = 0; i < wait.count; ++i) {
    wait.revents[i] = 0;
    if (wait.result <= 0) continue;
    if (wait.call == Call::poll || wait.call == Call::ppoll)
      wait.revents[i] = array.entries[i].revents;
    else if (FD_ISSET(wait.numbers[i], &wait.sets[0]))
      wait.revents[i] = POLLIN;
  }
}

bool is_select(const Wait& wait) { return wait.call == Call::select || wait.call == Call::pselect; }

void tell(const Consumer& consumer, const Wait& wait, unsigned i, const char* what) {
  const Slot& slot = round_now->slots[wait.slots[i]];
  const Channel& channel = round_now->channels[wait.before[i].channel];
  fail("%s: thread %u%s, %s of %u, timeout %lld us: result %d (errno %d), entry %u: number %d revents %#x, slot %u%s%s, "
       "channel %u kind %u, before %u of %u consumed, now %u of %u; changed %lld us before",
       what, consumer.index, consumer.in_child ? " (child)" : "", kNames[static_cast<unsigned>(wait.call)], wait.count,
       static_cast<long long>(wait.timeout_ns / 1000), wait.result, wait.error, i, wait.numbers[i],
       static_cast<unsigned short>(wait.revents[i]), wait.slots[i], slot.foreign ? " (churned)" : "",
       wait.before[i].silent ? " (unseen)" : "", channel.index, static_cast<unsigned>(channel.kind),
       wait.before[i].consumed, wait.before[i].produced, channel.consumed.load(), channel.produced.load(),
       static_cast<long long>((wait.start_ns - slot.since_ns) / 1000));
}

// What was not reported although it must be.
void check_missing(const Consumer& consumer, const Wait& wait, unsigned i) {
  const Before& before = wait.before[i];
  const Slot& slot = round_now->slots[wait.slots[i]];
  if (!before.steady || slot.version != before.version) return;
  if (wait.slots[i] == kStopSlot) {
    if (before.stopped && wait.result >= 0 && (wait.revents[i] & POLLIN) == 0) tell(consumer, wait, i, "the end was not reported");
    return;
  }
  if (before.closed) {
    bool said = is_select(wait) ? wait.result < 0 && wait.error == EBADF : (wait.revents[i] & POLLNVAL) != 0;
    if (!said && (!before.silent || wait.start_ns - slot.since_ns > kVerifyNs))
      tell(consumer, wait, i, "a closed number was not reported");
    return;
  }
  if (wait.revents[i] & POLLNVAL) return tell(consumer, wait, i, "POLLNVAL of an open number");
  if (wait.result < 0 || !before.quiet || slot.begun != before.begun || before.produced <= before.consumed) return;
  if (wait.revents[i] & POLLIN) return;
  const Channel& channel = round_now->channels[before.channel];
  int64_t since = wait.start_ns - channel.written_ns[before.consumed];
  int64_t since_change = wait.start_ns - slot.since_ns;
  if (since_change < since) since = since_change;
  if (before.silent && since <= kVerifyNs) return;
  // Loopback delivers by a thread of the kernel when the processor is busy.
  if (channel.kind == Kind::tcp && since <= 200'000'000) return;
  tell(consumer, wait, i, "an event was lost");
}

void check_errors(const Consumer& consumer, const Wait& wait) {
  if (wait.error == EINTR) {
    if (consumer.handled == wait.handled) fail("%s: EINTR without a signal", kNames[static_cast<unsigned>(wait.call)]);
    return;
  }
  if (wait.error != EBADF || !is_select(wait)) return tell(consumer, wait, 0, "a wait failed");
  for (unsigned i = 0; i < wait.count; ++i) {
    const Before& before = wait.before[i];
    if (!before.steady || before.closed || round_now->slots[wait.slots[i]].version != before.version) return;
  }
  tell(consumer, wait, 0, "EBADF without a closed number");
}

void check(const Consumer& consumer, const Wait& wait, int64_t end_ns) {
  if (wait.result < 0) check_errors(consumer, wait);
  // A handler that polls the same array writes it.
  if (consumer.handled != wait.handled && wait.result >= 0) return;
  if (wait.result == 0 && end_ns - wait.start_ns < wait.timeout_ns - 1000) tell(consumer, wait, 0, "too early");
  if (wait.result == 0 && wait.timeout_ns < 0) tell(consumer, wait, 0, "nothing, without a timeout");
  int ready = 0;
  for (unsigned i = 0; i < wait.count; ++i) {
    if (!(wait.result < 0 && wait.error == EINTR)) check_missing(consumer, wait, i);
    bool again = false;
    for (unsigned j = 0; is_select(wait) && j < i; ++j) again |= wait.numbers[j] == wait.numbers[i];
    if (wait.revents[i] != 0 && !again) ++ready;
    // A number that is closed meanwhile is in both sets.
    if (is_select(wait) && wait.result > 0 && !again && FD_ISSET(wait.numbers[i], &wait.sets[1])) ++ready;
  }
  if (wait.result >= 0 && ready != wait.result) tell(consumer, wait, 0, "the count is not the entries'");
}

// Reads what is reported.
bool take(Consumer& consumer, const Wait& wait) {
  bool stop = false;
  for (unsigned i = 0; i < wait.count; ++i) {
    if ((wait.revents[i] & (POLLIN | POLLHUP)) == 0) continue;
    if (wait.slots[i] == kStopSlot) {
      stop = true;
      continue;
    }
    const Before& before = wait.before[i];
    Slot& slot = round_now->slots[wait.slots[i]];
    Channel& channel = round_now->channels[before.channel];
    for (unsigned reads = consumer.random.between(1, 3); reads > 0; --reads) {
      uint32_t begun;
      long length = read_slot(consumer, slot, wait.numbers[i], channel, true, begun);
      int error = errno;
      if (length > 0) continue;
      bool alone = before.steady && before.quiet && begun == before.begun && slot.begun == begun + 1 &&
                   slot.version == before.version;
      if (alone && consumer.handled == wait.handled) {
        if (length < 0) tell(consumer, wait, i, error == EAGAIN ? "an event that is none" : "a reported number cannot be read");
        if (length == 0 && !channel.retired) tell(consumer, wait, i, "an end of file that is none");
      }
      break;
    }
  }
  return stop;
}

void choose(Consumer& consumer, Wait& wait, const Array& array, bool all) {
  Random& random = consumer.random;
  // A mirror is of one family, and a number is held by few of them.
  bool selects = random.one_in(30) ? random.one_in(2) : array.selects;
  wait.call = static_cast<Call>(random.below(2) + (selects ? 2 : 0));
  wait.count = array.count;
  bool endless = all && !consumer.in_child && consumer.parked == nullptr && random.one_in(3);
  for (unsigned i = 0; i < wait.count; ++i) {
    wait.slots[i] = array.slots[i];
    wait.numbers[i] = array.entries[i].fd;
    wait.events[i] = array.entries[i].events;
    // A sleeper need not see what comes to a number that another thread changes.
    if (round_now->slots[wait.slots[i]].foreign) endless = false;
  }
  const int64_t timeouts[] = {0, 0, 1'000'000, 3'000'000, random.below(12) * 1'000'000, random.below(20) * 1'000'000};
  wait.timeout_ns = endless ? -1 : timeouts[random.below(6)];
}

// For a call with a mask: our signals come in the call only.
void shut_signals(Consumer& consumer, Wait& wait) {
  consumer.shut = 0;
  if ((wait.call != Call::ppoll && wait.call != Call::pselect) || consumer.random.one_in(2)) return;
  sigset_t both;
  sigemptyset(&both);
  sigaddset(&both, SIGUSR1);
  sigaddset(&both, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &both, &wait.mask);
  wait.inside = wait.mask;
  consumer.shut = 1;
}

}  // namespace

bool wait_array(Consumer& consumer, Array& array, bool all) {
  Wait wait;
  choose(consumer, wait, array, all);
  shut_signals(consumer, wait);
  if (sigsetjmp(consumer.jump, 1) != 0) {
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
    consumer.watched.since_ns = 0;
    consumer.inside = 0;
    bool was_shut = consumer.shut != 0;
    consumer.shut = 0;
    if (was_shut) pthread_sigmask(SIG_SETMASK, &wait.mask, nullptr);
    return false;
  }
  for (unsigned i = 0; i < wait.count; ++i) wait.before[i] = look(consumer, wait.slots[i]);
  wait.handled = consumer.handled;
  wait.start_ns = now_ns();
  publish(consumer, wait);
  ++figures->waits;
  consumer.inside = 1;
  consumer.waiting_with = &array;
  consumer.may_jump = 1;
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, nullptr);
  wait.result = make_call(consumer, wait, array);
  wait.error = wait.result < 0 ? errno : 0;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
  consumer.may_jump = 0;
  consumer.inside = 0;
  consumer.waiting_with = nullptr;
  int64_t end_ns = now_ns();
  consumer.watched.since_ns = 0;
  copy_answer(wait, array);
  check(consumer, wait, end_ns);
  if (consumer.shut != 0) {
    sigset_t stands;
    pthread_sigmask(SIG_BLOCK, nullptr, &stands);
    if (!sigismember(&stands, SIGUSR1) || !sigismember(&stands, SIGUSR2)) fail("a wait left another signal mask");
    consumer.shut = 0;
    pthread_sigmask(SIG_SETMASK, &wait.mask, nullptr);
  }
  return take(consumer, wait);
}

}  // namespace crowd
