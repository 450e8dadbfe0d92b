// Posting; the contract stands in post.hpp.
//
// What is queued goes straight into the ring, with the registration's generation: if that was deleted meanwhile nobody
// takes it. What is added up goes into a word that has the generation in it, and the registration into a list that
// whoever takes next looks at.
#include "queue/post.hpp"

#include <cerrno>

#include "os/clock.hpp"

namespace kev::queue {

namespace {

int add_up(Queue& queue, Entry& entry, uint32_t generation, int64_t result) {
  uint64_t before = entry.sum.load(std::memory_order_relaxed);
  do {
    if (before >> Entry::kSumBits != (generation & (~uint64_t{0} >> Entry::kSumBits))) return -ENOENT;
    uint64_t sum = (before & Entry::kSumMask) + static_cast<uint64_t>(result);
    if (sum > Entry::kSumMask) return -EAGAIN;
    if (entry.sum.compare_exchange_weak(before, before + static_cast<uint64_t>(result), std::memory_order_seq_cst,
                                        std::memory_order_relaxed))
      break;
  } while (true);
  if ((before & Entry::kSumMask) != 0) return 0;  // whoever made it more than 0 has seen to the rest
  if (entry.posted.exchange(true, std::memory_order_seq_cst)) return 0;
  uint32_t first = queue.posted.load(std::memory_order_relaxed);
  do entry.next_posted.store(first, std::memory_order_relaxed);
  while (!queue.posted.compare_exchange_weak(first, entry.index, std::memory_order_seq_cst, std::memory_order_relaxed));
  return 1;
}

}  // namespace

int post(Queue& queue, uint64_t id, int64_t result, const uint64_t* data) {
  if (is_shut(queue)) return -ESHUTDOWN;
  Entry* entry = queue.table.find(KEV_SOURCE_USER, id);
  if (entry == nullptr) return -ENOENT;
  Reference reference = {entry->index, entry->generation.load(std::memory_order_acquire)};
  uint32_t flags = entry->flags.load(std::memory_order_relaxed);
  if (!entry->enabled.load(std::memory_order_relaxed)) return -EAGAIN;
  if ((flags & KEV_COALESCE) != 0) {
    if (result < 1 || result > INT32_MAX) return -EINVAL;
    if (data != nullptr && (data[0] != 0 || data[1] != 0 || data[2] != 0)) return -EINVAL;
    int added = add_up(queue, *entry, reference.generation, result);
    if (added <= 0) return added;
  } else {
    if ((flags & KEV_DISPATCH) != 0 && !entry->enabled.exchange(false, std::memory_order_relaxed)) return -EAGAIN;
    bool made = queue.ring.produce([&](Record& record, uint32_t place) {
      record = {reference, Kind::posted};
      kev_event& event = queue.events[place];
      event.result = result;
      event.data[0] = data == nullptr ? 0 : data[0];
      event.data[1] = data == nullptr ? 0 : data[1];
      event.data[2] = data == nullptr ? 0 : data[2];
      event.time_ns = (queue.flags & KEV_Q_TIME) != 0 ? os::monotonic_ns() : 0;
      event.flags = 0;
    });
    if (!made) {
      if ((flags & KEV_DISPATCH) != 0) entry->enabled.store(true, std::memory_order_relaxed);
      return -EAGAIN;
    }
  }
  post_outside(queue);
  announce(queue, (flags & KEV_WAKE_ALL) != 0);
  return 0;
}

}  // namespace kev::queue
