// A consumer's life: what it does in turn, until it is told to stop, cancelled, or leaves.
#include "consumer.hpp"

#include <cerrno>
#include <sys/wait.h>
#include <unistd.h>

#include "../world/raw.h"
#include "figures.hpp"

namespace crowd {

thread_local Consumer* self;

namespace {

struct Leaving {
  Consumer& consumer;
  ~Leaving() {
    self = nullptr;
    consumer.watched.since_ns = 0;
    consumer.running = false;
  }
};

void shut_signals(int how) {
  sigset_t both;
  sigemptyset(&both);
  sigaddset(&both, SIGUSR1);
  sigaddset(&both, SIGUSR2);
  pthread_sigmask(how, &both, nullptr);
}

bool one_turn(Consumer& consumer) {
  Random& random = consumer.random;
  if (consumer.role == Role::set) return wait_set(consumer);
  unsigned which = random.below(kArrays);
  Array& array = consumer.arrays[which];
  if (random.one_in(10)) edit_array(consumer, array);
  if (round_now->winding_up) read_parked(consumer);
  if (!round_now->winding_up) {
    if (random.one_in(12)) change_own(consumer);
    if (random.one_in(150)) fork_once(consumer);
  }
  return wait_array(consumer, array, which == 0);
}

void* live(void* argument) {
  Consumer& consumer = *static_cast<Consumer*>(argument);
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
  if (consumer.reading != nullptr) consumer.reading->done.fetch_add(1);
  consumer.reading = nullptr;
  consumer.may_jump = 0;
  consumer.shut = 0;
  consumer.inside = 0;
  consumer.waiting_with = nullptr;
  Leaving leaving{consumer};
  self = &consumer;
  shut_signals(SIG_UNBLOCK);
  if (consumer.role == Role::blocking) return consume_blocking(consumer);
  while (!one_turn(consumer))
    if (!round_now->winding_up && consumer.random.one_in(400)) return nullptr;  // another goes on
  return &consumer;
}

}  // namespace

void start(Consumer& consumer) {
  consumer.running = true;
  // Ours are blocked until the thread knows who it is.
  shut_signals(SIG_BLOCK);
  if (int error = pthread_create(&consumer.thread, nullptr, live, &consumer)) {
    fail("pthread_create: %d", error);
    end_player(1);
  }
}

void* consume_blocking(Consumer& consumer) {
  Slot& slot = round_now->slots[consumer.slots[0]];
  Channel& channel = round_now->channels[slot.channel];
  for (;;) {
    Watched& watched = consumer.watched;
    watched.call = "read";
    watched.count = 1;
    watched.slots[0] = consumer.slots[0];
    watched.versions[0] = slot.version.load();
    watched.numbers[0] = slot.number.load();
    watched.events[0] = POLLIN;
    watched.since_ns = now_ns();
    uint32_t begun;
    long length = read_slot(consumer, slot, slot.number, channel, true, begun);
    watched.since_ns = 0;
    if (length == 0) return &consumer;
    if (length < 0 && errno != EINTR) fail("a blocking read: errno %d", errno);
  }
}

long read_slot(Consumer& consumer, Slot& slot, int number, Channel& channel, bool may_end, uint32_t& begun) {
  Token buffer;
  consumer.reading = &slot;
  begun = slot.begun.fetch_add(1);
  if (may_end) pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, nullptr);
  long length = read(number, &buffer, sizeof buffer);
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
  int error = errno;
  if (length > 0 && !account(round_now->channels, round_now->channel_count, channel, &buffer, length))
    fail("channel %u: %ld bytes that nobody wrote", channel.index, length);
  slot.done.fetch_add(1);
  consumer.reading = nullptr;
  errno = error;
  return length;
}

void read_parked(Consumer& consumer) {
  if (consumer.parked == nullptr) return;
  read_out(consumer.parked_fd, *consumer.parked);
  close(consumer.parked_fd);
  consumer.parked = nullptr;
}

void change_own(Consumer& consumer) {
  Random& random = consumer.random;
  read_parked(consumer);
  unsigned index = consumer.slots[random.below(consumer.slot_count)];
  Slot& slot = round_now->slots[index];
  if (index == kStopSlot || slot.foreign || slot.shared) return;
  round_now->begin_making();
  int fd;
  if (Channel* channel = new_channel(random, kKinds, fd)) {
    Channel& before = round_now->channels[slot.channel];
    auto way = static_cast<Way>(random.below(static_cast<unsigned>(Way::count)));
    int parked = random.one_in(2) ? dup(slot.number) : -1;
    if (parked < 0) {
      retire(before);
      read_out(slot.number, before);
    }
    put(slot, way, fd, channel->index, 0);
    if (parked >= 0) {
      // The old file has tokens, and what is left of its registration may report them.
      if (random.one_in(2)) produce(before);
      retire(before);
      consumer.parked_fd = parked;
      consumer.parked = &before;
    }
    channel->live = true;
    if (random.one_in(2)) produce(*channel);
    for (Array& array : consumer.arrays)
      for (unsigned i = 0; i < array.count; ++i)
        if (array.slots[i] == index) array.entries[i].fd = slot.number;
  }
  round_now->end_making();
}

void fork_once(Consumer& consumer) {
  ++figures->forks;
  // By a call that no shim sees as well.
  bool unseen = consumer.random.one_in(3);
  pid_t pid = unseen ? static_cast<pid_t>(raw(SYS_clone, SIGCHLD, 0, 0, 0, 0)) : fork();
  if (pid < 0) return;
  if (pid == 0) {
    consumer.in_child = true;
    for (unsigned turns = consumer.random.between(1, 6); turns > 0; --turns)
      wait_array(consumer, consumer.arrays[consumer.random.below(kArrays)], false);
    end_player(0);
  }
  int64_t began = now_ns();
  int status;
  pid_t done;
  while ((done = waitpid(pid, &status, WNOHANG)) == 0 || (done < 0 && errno == EINTR)) {
    if (now_ns() - began > 3 * kHangNs) {
      fail("a forked child hangs");
      kill(pid, SIGKILL);
      began = now_ns();
    }
    pause_us(200);
  }
  if (done == pid && status != 0) fail("a forked child ended with status %#x", status);
}

}  // namespace crowd
