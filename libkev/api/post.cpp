// Posting and waking: kev_post(3). Async-signal-safe.
#include "queue/post.hpp"

#include "api/exported.hpp"

using namespace kev::queue;

KEV_EXPORT int kev_post(kev_queue* queue, uint64_t id, int64_t result, const uint64_t data[3]) {
  int error = check(queue);
  return error < 0 ? error : post(*queue, id, result, data);
}

KEV_EXPORT int kev_wake(kev_queue* queue, unsigned count) {
  int error = check(queue);
  if (error < 0) return error;
  if (count != 0) queue->bell.request(count);
  return 0;
}
