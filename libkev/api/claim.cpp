// Taking events where they stand: kev_claim_events(3).
#include <cstring>

#include "api/exported.hpp"
#include "queue/queue.hpp"

using namespace kev::queue;

KEV_EXPORT int kev_claim_events(kev_queue* queue, unsigned max, kev_claim* out) {
  int error = check(queue);
  if (error < 0) return error;
  if (out == nullptr || max == 0) return -EINVAL;
  *out = {};
  const void* thread = this_thread();
  Locked locked(queue->lock);
  collect(*queue);
  unsigned count = claim(*queue, max, *out, thread);
  settle_outside(*queue);
  return static_cast<int>(count);
}

KEV_EXPORT int kev_detail(kev_queue* queue, const kev_claim* claim, unsigned i, void* detail, size_t size) {
  int error = check(queue);
  if (error < 0) return error;
  if (claim == nullptr || (detail == nullptr && size != 0)) return -EINVAL;
  Locked locked(queue->lock);
  ClaimRecord* record = find_claim(*queue, *claim);
  if (record == nullptr || i >= record->count) return -EINVAL;
  uint32_t place = queue->ring.place(record->position + i);
  if ((queue->events[place].flags & KEV_E_MORE) == 0) return -ENODATA;
  const Detail& known = queue->details[place];
  if (size != 0) std::memcpy(detail, known.bytes, size < known.size ? size : known.size);
  return static_cast<int>(known.size);
}

KEV_EXPORT int kev_commit(kev_queue* queue, kev_claim* claim) {
  return claim == nullptr ? -EINVAL : kev_unclaim(queue, claim, claim->count);
}

KEV_EXPORT int kev_unclaim(kev_queue* queue, kev_claim* claim, unsigned from) {
  int error = check(queue);
  if (error < 0) return error;
  if (claim == nullptr) return -EINVAL;
  {
    Locked locked(queue->lock);
    ClaimRecord* record = find_claim(*queue, *claim);
    if (record == nullptr || from > record->count) return -EINVAL;
    unclaim(*queue, *record, from);
    settle_outside(*queue);
  }
  *claim = {};
  // What was given back, notices of deletion, and what found no room before.
  if (stands(*queue)) queue->bell.notify();
  return 0;
}
