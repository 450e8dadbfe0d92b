// Waiting: kev_wait(3). kev_wait and kev_sleep are the library's two cancellation points.
#include "queue/wait.hpp"

#include <pthread.h>

#include "api/exported.hpp"
#include "queue/deadline.hpp"

using namespace kev::queue;

namespace {

int wait_with(Queue& queue, kev_event* out, unsigned min, unsigned max, uint64_t seen, const kev_deadline* deadline,
              const sigset_t* mask) {
  bool ends_on_set = false;
  if (deadline != nullptr) {
    ends_on_set = (deadline->flags & KEV_END_ON_CLOCK_SET) != 0;
    bool follows = deadline->clock == CLOCK_REALTIME && (deadline->flags & KEV_ABS) != 0;
    if (ends_on_set || follows) {
      Locked locked(queue.lock);
      int error = watch_clock(queue);
      if (error < 0) return error;
    }
  }
  kev::wait::Deadline until = deadline_of(deadline);
  return wait_on(queue, {out, min, max, seen, until, ends_on_set, mask});
}

}  // namespace

KEV_EXPORT int kev_wait(kev_queue* queue, kev_event* events, unsigned min, unsigned max, const kev_deadline* deadline,
                        const sigset_t* mask) {
  int error = check(queue);
  if (error < 0) return error;
  if (events == nullptr || max == 0) return -EINVAL;
  if (deadline != nullptr) error = kev::queue::check(*deadline, KEV_ABS | KEV_END_ON_CLOCK_SET);
  if (error < 0) return error;
  pthread_testcancel();
  if (unsigned count = take_quickly(*queue, events, min, max)) return static_cast<int>(count);
  return wait_with(*queue, events, min, max, 0, deadline, mask);
}

KEV_EXPORT uint64_t kev_index(const kev_queue* queue) { return check(queue) < 0 ? 0 : queue->ring.tail(); }

KEV_EXPORT int kev_sleep(kev_queue* queue, uint64_t seen, const kev_deadline* deadline, const sigset_t* mask) {
  int error = check(queue);
  if (error < 0) return error;
  if (deadline != nullptr) error = kev::queue::check(*deadline, KEV_ABS | KEV_END_ON_CLOCK_SET);
  if (error < 0) return error;
  pthread_testcancel();
  return wait_with(*queue, nullptr, 1, 1, seen, deadline, mask);
}

KEV_EXPORT int kev_fd(kev_queue* queue) {
  int error = check(queue);
  if (error < 0) return error;
  Locked locked(queue->lock);
  return open_outside(*queue);
}
