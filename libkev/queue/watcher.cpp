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

constexpr uint64_t kUntouched = Reference{kNone, 0}.token();

struct Sleep {
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
  result = os::epoll_sleep(sleep.set, sleep.events, sleep.max, sleep.timeout, sleep.mask);
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
  if (error < 0) close();
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

void Watcher::close() {
  for (int* fd : {&watched_, &sleep_, &bell_}) {
    if (*fd >= 0) os::close(*fd);
    *fd = -1;
  }
}

int Watcher::harvest(epoll_event* events, int max) {
  return os::epoll_harvest(watched_, events, max < kBatch ? max : kBatch);
}

int Watcher::sleep(bool takes, epoll_event* events, int max, const timespec* timeout, const sigset_t* mask,
                   void (*cancelled)(void* context, const epoll_event* events, int count), void* context) {
  Sleep sleep = {takes ? watched_ : sleep_, events, takes ? max : 1, timeout, mask, cancelled, context};
  for (int i = 0; i < sleep.max; ++i) events[i].data.u64 = kUntouched;
  return sleep_as_point(sleep);
}

}  // namespace kev::queue
