// One wait with an epoll set, alone or beside other threads: level, edge-triggered, one-shot, exclusive entries.
#include <cerrno>
#include <sys/epoll.h>

#include "consumer.hpp"
#include "figures.hpp"

namespace crowd {

namespace {

constexpr int kMost = 8;

int make_call(Consumer& consumer, epoll_event* events, int most, int timeout_ms) {
  sigset_t none;
  sigemptyset(&none);
  consumer.inside = 1;
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, nullptr);
  int count = consumer.random.one_in(2) ? epoll_wait(consumer.set, events, most, timeout_ms)
                                        : epoll_pwait(consumer.set, events, most, timeout_ms, &none);
  // From here on what was handed over is ours alone: unless it is level-triggered, it is read before the thread ends.
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
  consumer.inside = 0;
  return count;
}

// `is_last`: nothing that was handed over with it is still to be read, and would go with the thread.
void take(Consumer& consumer, const epoll_event& event, bool is_last) {
  unsigned index = event.data.u32;
  Slot& slot = round_now->slots[index];
  Channel& channel = round_now->channels[slot.channel];
  uint32_t how = slot.set_events;
  bool all = (how & (EPOLLET | EPOLLEXCLUSIVE)) != 0;
  bool first = true;
  for (unsigned reads = consumer.random.between(1, 4); all || reads > 0; --reads, first = false) {
    uint32_t begun;
    long length = read_slot(consumer, slot, slot.number, channel, how == EPOLLIN && is_last, begun);
    if (length > 0) continue;
    // One thread at a time has it.
    if (first && length < 0 && errno == EAGAIN && (how & EPOLLONESHOT) != 0)
      fail("epoll: a one-shot event that is none, slot %u", index);
    break;
  }
  if ((how & EPOLLONESHOT) == 0) return;
  epoll_event again = {how, {.u32 = index}};
  if (epoll_ctl(consumer.set, EPOLL_CTL_MOD, slot.number, &again) != 0) fail("epoll_ctl: errno %d", errno);
}

}  // namespace

bool wait_set(Consumer& consumer) {
  epoll_event events[kMost];
  int timeout_ms = consumer.random.one_in(3) ? static_cast<int>(consumer.random.below(10)) : -1;
  int most = static_cast<int>(consumer.random.between(1, kMost));
  sig_atomic_t handled = consumer.handled;
  Watched& watched = consumer.watched;
  watched.call = "epoll_wait";
  watched.count = 1;
  watched.slots[0] = kStopSlot;
  watched.versions[0] = round_now->slots[kStopSlot].version.load();
  watched.numbers[0] = consumer.set;
  watched.events[0] = POLLIN;
  watched.since_ns = now_ns();
  ++figures->waits;
  int count = make_call(consumer, events, most, timeout_ms);
  int error = errno;
  watched.since_ns = 0;
  if (count < 0 && error != EINTR) fail("epoll_wait: errno %d", error);
  if (count < 0 && error == EINTR && consumer.handled == handled) fail("epoll_wait: EINTR without a signal");
  if (count == 0 && timeout_ms < 0) fail("epoll_wait: nothing, without a timeout");
  bool stop = false;
  for (int i = 0; i < count; ++i)
    if (events[i].data.u32 == kStopSlot)
      stop = true;
    else
      take(consumer, events[i], i + 1 == count);
  return stop;
}

}  // namespace crowd
