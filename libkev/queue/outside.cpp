// kev_fd(): a descriptor that is readable while something stands.
//
// An epoll set above the watched descriptors and an eventfd, which is set while the ring has something. What the kernel
// has is seen by the kernel; what stands in user memory is told by the eventfd, at its first and after its last event.
#include <sys/epoll.h>

#include "os/epoll.hpp"
#include "os/file.hpp"
#include "queue/queue.hpp"

namespace kev::queue {

void set_outside(Queue& queue) {
  uint64_t one = 1;
  if (queue.outside_set.exchange(1, std::memory_order_seq_cst) == 0) os::write(queue.outside_bell, &one, sizeof one);
}

int open_outside(Queue& queue) {
  if (queue.outside >= 0) return queue.outside;
  // What a ring polls is not seen from there.
  give_ring_up(queue, -EOPNOTSUPP);
  int bell = os::eventfd(0, O_CLOEXEC | O_NONBLOCK);
  if (bell < 0) return bell;
  int set = os::epoll_create1(EPOLL_CLOEXEC);
  epoll_event event = {};
  event.events = EPOLLIN;
  int error = set;
  if (error >= 0) error = os::epoll_ctl(set, EPOLL_CTL_ADD, bell, &event);
  if (error >= 0) error = os::epoll_ctl(set, EPOLL_CTL_ADD, queue.watcher.watched(), &event);
  if (error < 0) {
    if (set >= 0) os::close(set);
    os::close(bell);
    return error;
  }
  queue.outside = set;
  queue.outside_bell = bell;
  queue.has_outside.store(1, std::memory_order_seq_cst);
  settle_outside(queue);
  return set;
}

void settle_outside_slowly(Queue& queue) {
  collect(queue);
  if (timer_left(queue) == INT64_MAX) {
    clear_alarm(queue);
  } else {
    int64_t ignored = INT64_MAX;
    arm_for_sleep(queue, ignored, false);
  }
  if (count_ready(queue, 1) != 0) {
    set_outside(queue);
    return;
  }
  if (queue.outside_set.load(std::memory_order_relaxed) != 0) {
    uint64_t ignored;
    os::read(queue.outside_bell, &ignored, sizeof ignored);
    queue.outside_set.store(0, std::memory_order_seq_cst);
  }
  // What was posted since then found it set.
  if (count_ready(queue, 1) != 0 || queue.posted.load(std::memory_order_seq_cst) != kNone) set_outside(queue);
}

}  // namespace kev::queue
