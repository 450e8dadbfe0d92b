// How things come to stand in the ring; the contract stands in queue.hpp.
#include <cstring>

#include "os/clock.hpp"
#include "queue/queue.hpp"

namespace kev::queue {

namespace {

uint64_t now_for(const Queue& queue) { return (queue.flags & KEV_Q_TIME) != 0 ? os::monotonic_ns() : 0; }

bool put(Queue& queue, Reference reference, Kind kind) {
  return queue.ring.produce([&](Record& record, uint32_t place) {
    record = {reference, kind};
    queue.events[place].time_ns = now_for(queue);
  });
}

void link_pending(Queue& queue, Entry& entry) {
  ++queue.full;
  entry.pending = true;
  entry.previous_pending = queue.pending_last;
  entry.next_pending = kNone;
  if (queue.pending_last == kNone)
    queue.pending_first.store(entry.index, std::memory_order_relaxed);
  else
    queue.table.slot(queue.pending_last)->next_pending = entry.index;
  queue.pending_last = entry.index;
}

// Registrations with posts that are added up, in the order in which they were first posted.
void drain_posted(Queue& queue) {
  uint32_t index = queue.posted.exchange(kNone, std::memory_order_seq_cst);
  uint32_t in_order = kNone;
  while (index != kNone) {
    Entry& entry = *queue.table.slot(index);
    uint32_t following = entry.next_posted.load(std::memory_order_relaxed);
    entry.next_posted.store(in_order, std::memory_order_relaxed);
    in_order = index;
    index = following;
  }
  while (in_order != kNone) {
    Entry& entry = *queue.table.slot(in_order);
    in_order = entry.next_posted.load(std::memory_order_relaxed);
    entry.posted.store(false, std::memory_order_seq_cst);
    // Who posts from here on puts it into the list anew.
    if (entry.source.load(std::memory_order_relaxed) == KEV_SOURCE_USER && entry.has(KEV_COALESCE) &&
        (entry.sum.load(std::memory_order_seq_cst) & Entry::kSumMask) != 0)
      publish(queue, entry);
  }
}

}  // namespace

void unlink_pending(Queue& queue, Entry& entry) {
  if (!entry.pending) return;
  entry.pending = false;
  if (entry.previous_pending == kNone)
    queue.pending_first.store(entry.next_pending, std::memory_order_relaxed);
  else
    queue.table.slot(entry.previous_pending)->next_pending = entry.next_pending;
  if (entry.next_pending == kNone)
    queue.pending_last = entry.previous_pending;
  else
    queue.table.slot(entry.next_pending)->previous_pending = entry.previous_pending;
}

void publish(Queue& queue, Entry& entry) {
  if (entry.queued) return;
  entry.queued = true;
  if (entry.has(KEV_WAKE_ALL)) queue.wake_all = true;
  Kind kind = entry.dying ? Kind::notice : Kind::standing;
  bool none_before = queue.pending_first.load(std::memory_order_relaxed) == kNone;
  if (!none_before || !put(queue, entry.reference(), kind)) link_pending(queue, entry);
}

bool publish_posted(Queue& queue, Entry& entry, int64_t result, const uint64_t data[3], const void* detail,
                    uint32_t detail_size) {
  Reference reference = entry.reference();
  return queue.ring.produce([&](Record& record, uint32_t place) {
    record = {reference, Kind::posted};
    kev_event& event = queue.events[place];
    event.result = result;
    for (int i = 0; i < 3; ++i) event.data[i] = data == nullptr ? 0 : data[i];
    event.flags = 0;
    event.time_ns = now_for(queue);
    if (detail == nullptr) return;
    std::memcpy(queue.details[place].bytes, detail, detail_size);
    queue.details[place].size = detail_size;
    event.flags = KEV_E_MORE;
  });
}

void collect_slowly(Queue& queue) {
  while (queue.pending_first.load(std::memory_order_relaxed) != kNone) {
    Entry& entry = *queue.table.slot(queue.pending_first.load(std::memory_order_relaxed));
    if (!put(queue, entry.reference(), entry.dying ? Kind::notice : Kind::standing)) break;
    unlink_pending(queue, entry);
  }
  if (queue.signal_is_held) read_signals(queue);
  if (queue.posted.load(std::memory_order_relaxed) != kNone) drain_posted(queue);
  expire_timers(queue);
}

}  // namespace kev::queue
