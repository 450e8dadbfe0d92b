// The kernel's epoll as the queue's watcher; the contract stands in watcher.hpp.
//
// Cancellation, without the preload object and with any C library: the type is asynchronous around the one system call.
// A C library that cancels there may do so after the call has taken events (KEV_Q_SINGLE: one-shot and edge-triggered
// ones would be lost). They are in `events` then, which were marked before; the clean-up handler finds them there.
#include "queue/watcher.hpp"

#include <cerrno>
#include <pthread.h>

#include "os/epoll.hpp"
#include "os/file.hpp"
#include "os/thread.hpp"

namespace kev::queue {

namespace {

constinit thread_local PollRing spare_ring;

constexpr uint64_t kUntouched = Reference{kNone, 0}.token();

struct Sleep {
  const PollRing* ring;  // or null
  int set;
  epoll_event* events;
  int max;
  const timespec* timeout;
  const sigset_t* mask;
  void (*cancelled)(void*, const epoll_event*, int);
  void* context;
};

void clean_up(void* argument) {
  const auto& sleep = *static_cast<const Sleep*>(argument);
  int count = 0;
  while (count < sleep.max && sleep.events[count].data.u64 != kUntouched) ++count;
  sleep.cancelled(sleep.context, sleep.events, count);
}

// Nothing here is changed between the push and a cancellation, and nothing has a destructor.
[[gnu::noinline]] int sleep_as_point(const Sleep& sleep) {
  int result, type;
  pthread_cleanup_push(clean_up, const_cast<Sleep*>(&sleep));
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
  result = sleep.ring != nullptr ? sleep.ring->sleep(sleep.timeout, sleep.mask)
                                 : os::epoll_sleep(sleep.set, sleep.events, sleep.max, sleep.timeout, sleep.mask);
  pthread_setcanceltype(type, nullptr);
  pthread_cleanup_pop(0);
  return result;
}

}  // namespace

int Watcher::control(int operation, int fd, uint32_t bits, uint64_t token) {
  epoll_event event = {};
  event.events = bits;
  event.data.u64 = token;
  return os::epoll_ctl(watched_, operation, fd, &event);
}

int Watcher::open(bool single) {
  single_ = single;
  int error = watched_ = os::epoll_create1(EPOLL_CLOEXEC);
  if (error >= 0) error = bell_ = os::eventfd(0, O_CLOEXEC | O_NONBLOCK);
  if (error >= 0 && single) error = control(EPOLL_CTL_ADD, bell_, EPOLLIN | EPOLLET, token_of(Internal::bell));
  if (error >= 0 && !single) error = open_sleep_set();
  if (error < 0) close(false);
  return error < 0 ? error : 0;
}

int Watcher::open_sleep_set() {
  if (sleep_ >= 0) return 0;
  int set = os::epoll_create1(EPOLL_CLOEXEC);
  if (set < 0) return set;
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = token_of(Internal::bell);
  int error = os::epoll_ctl(set, EPOLL_CTL_ADD, bell_, &event);
  event.data.u64 = token_of(Internal::watched);
  if (error >= 0) error = os::epoll_ctl(set, EPOLL_CTL_ADD, watched_, &event);
  if (error >= 0) sleep_ = set;
  else os::close(set);
  return error;
}

void Watcher::close(bool inherited) {
  uses_ring_ = false;
  if (!inherited) close_ring();
  ring_.abandon();
  for (int* fd : {&watched_, &sleep_, &bell_}) {
    if (*fd >= 0) os::close(*fd);
    *fd = -1;
  }
}

int Watcher::open_ring() {
  int error = ring_.open(spare_ring);
  if (error < 0) return error;
  ring_.poll(watched_, EPOLLIN, token_of(Internal::watched));
  if (!ring_.enter()) return -EIO;
  uses_ring_ = set_is_due_ = has_armed_ = true;
  return 0;
}

int Watcher::harvest(epoll_event* events, int max, bool left) {
  if (max > kBatch) max = kBatch;
  if (uses_ring_) return harvest_both(events, max, left);
  set_at_ = 0;
  return ask_set(events, max);
}

void Watcher::close_mine() { ring_.close(spare_ring); }

void Watcher::end_spare_ring(bool forgotten) {
  if (forgotten) spare_ring.abandon();
  else spare_ring.end_with_thread();
}

int Watcher::take_from_ring(epoll_event* events, int max) {
  int count = 0, taken = ring_.take(events, max);
  for (int i = 0; i < taken; ++i) {
    if (events[i].data.u64 != token_of(Internal::watched)) {
      events[count++] = events[i];
      continue;
    }
    set_is_due_ = true;
    if ((events[i].events & PollRing::kEnded) != 0)
      ring_.poll(watched_, EPOLLIN, token_of(Internal::watched));
  }
  return count;
}

// The set comes second, since it is mostly not due; but first, for half of the room, where it found none the last time.
int Watcher::harvest_both(epoll_event* events, int max, bool left) {
  set_is_due_ |= left;
  int count = 0;
  set_at_ = from_set_ = 0;
  if (set_waits_) count = ask_set(events, (max + 1) / 2);
  if (count < 0) return count;
  // What was not taken keeps its room. What was taken is delivered, whatever becomes of the ring.
  if (ring_.completions() < static_cast<unsigned>(max) && !ring_.enter()) return count > 0 ? count : -EIO;
  int from_ring = take_from_ring(events + count, max - count);
  // The poll of the set has ended: it is polled again before the set is asked.
  if (ring_.has_entries() && !ring_.enter()) return count + from_ring > 0 ? count + from_ring : -EIO;
  bool was_asked = set_waits_;
  set_waits_ = set_is_due_ && count + from_ring == max;
  if (!was_asked && set_is_due_ && !set_waits_) {
    int error = ask_set(events + from_ring, max - from_ring);
    if (error < 0 && from_ring == 0) return error;
    set_at_ = from_ring;
    count = from_set_;
  }
  return count + from_ring;
}

int Watcher::ask_set(epoll_event* events, int max) {
  int count = os::epoll_harvest(watched_, events, max);
  set_is_due_ = count < 0 || count == max;
  from_set_ = count < 0 ? 0 : count;
  return count;
}

int Watcher::sleep(Where where, epoll_event* events, int max, const timespec* timeout, const sigset_t* mask,
                   void (*cancelled)(void* context, const epoll_event* events, int count), void* context) {
  const PollRing* ring = where == Where::ring ? &ring_ : nullptr;
  int set = where == Where::watched ? watched_ : sleep_;
  Sleep sleep = {ring, set, events, where == Where::watched ? max : 1, timeout, mask, cancelled, context};
  for (int i = 0; i < sleep.max; ++i) events[i].data.u64 = kUntouched;
  int result = sleep_as_point(sleep);
  return result == -ETIME ? 0 : result;
}

}  // namespace kev::queue
