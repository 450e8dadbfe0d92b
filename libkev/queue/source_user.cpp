// Events of the program's own; posting stands in api/post.cpp.
#include "queue/queue.hpp"

namespace kev::queue {

int start_user(Queue&, Entry& entry, const kev_change& change, bool modify) {
  if (change.what != 0) return -EINVAL;
  for (uint64_t arg : change.arg)
    if (arg != 0) return -EINVAL;
  // What was added up could not be told apart any more.
  if (modify && entry.has(KEV_COALESCE) != ((change.flags & KEV_COALESCE) != 0)) return -EINVAL;
  return 0;
}

bool fill_user(Queue&, Entry& entry, kev_event& event) {
  // Only with KEV_COALESCE is it filled from here.
  uint64_t word = entry.sum.exchange(Entry::sum_word(entry.generation.load(std::memory_order_relaxed), 0),
                                     std::memory_order_seq_cst);
  event.result = static_cast<int64_t>(word & Entry::kSumMask);
  event.what = KEV_POSTED;
  return event.result != 0;
}

}  // namespace kev::queue
