// What the kernel has for the queue; the contract stands in queue.hpp.
//
// No more is taken than there is room for: what is left stays on the kernel's list, in its order.
#include "queue/queue.hpp"

#include "os/clock.hpp"

namespace kev::queue {

namespace {

void process_internal(Queue& queue, Internal what) {
  switch (what) {
    case Internal::bell: break;  // the sleeper has seen to it
    case Internal::alarm: queue.alarm_set = INT64_MAX; break;
    case Internal::clock_notice: read_clock_notice(queue); break;
    case Internal::signals: read_signals(queue); break;
    case Internal::watched: break;
  }
}

// The common case of hand_over(): a descriptor that is reported as it is, and stays.
bool is_plain(const Entry& entry, uint32_t flags) {
  constexpr uint32_t kMore = KEV_ONESHOT | KEV_DISPATCH | KEV_RECHECK | KEV_DATA | KEV_WAKE_ALL;
  return entry.source.load(std::memory_order_relaxed) == KEV_SOURCE_FD && (flags & kMore) == 0;
}

void fill_plain(Entry& entry, uint32_t bits, uint64_t now, kev_event& out) {
  out.ident = entry.ident.load(std::memory_order_relaxed);
  out.udata = entry.udata;
  out.result = 0;
  out.data[0] = bits;
  out.data[1] = out.data[2] = 0;
  out.time_ns = now;
  out.source = KEV_SOURCE_FD;
  out.flags = (bits & (KEV_HUP | KEV_RDHUP)) != 0 ? KEV_E_EOF : 0;
  out.what = bits;
}

}  // namespace

unsigned process(Queue& queue, const epoll_event* events, int count, kev_event* out, unsigned max) {
  unsigned handed = 0;
  uint64_t now = out != nullptr && (queue.flags & KEV_Q_TIME) != 0 ? os::monotonic_ns() : 0;
  for (int i = 0; i < count; ++i) {
    Reference reference = Reference::from(events[i].data.u64);
    if (reference.index == kNone) {
      process_internal(queue, static_cast<Internal>(reference.generation));
      continue;
    }
    Entry* entry = queue.table.at(reference);
    if (entry == nullptr || !entry->enabled.load(std::memory_order_relaxed)) continue;
    uint32_t bits = events[i].events;
    if ((bits & PollRing::kEnded) != 0) [[unlikely]] {
      // The set reports what stands.
      back_to_set(queue, *entry);
      continue;
    }
    uint32_t flags = entry->flags.load(std::memory_order_relaxed);
    if (handed < max && is_plain(*entry, flags) && !entry->queued) {
      fill_plain(*entry, bits | entry->bits, now, out[handed++]);
      entry->bits = 0;
      queue.level_out |= (flags & KEV_EDGE) == 0;
      continue;
    }
    entry->bits |= bits;
    if ((flags & (KEV_EDGE | KEV_ONESHOT | KEV_DISPATCH)) == 0) queue.level_out = true;
    if ((flags & KEV_DISPATCH) != 0) entry->enabled.store(false, std::memory_order_relaxed);
    if (entry->queued || entry->spent) continue;
    if (handed < max && (flags & KEV_WAKE_ALL) == 0) {
      if (hand_over(queue, *entry, out[handed])) out[handed++].time_ns = now;
      continue;
    }
    publish(queue, *entry);
  }
  queue.delivered += handed;
  return handed;
}

int harvest(Queue& queue, kev_event* out, unsigned max) {
  if (stands(queue)) max = 0;  // they come first
  uint32_t ready = queue.ring.ready();
  unsigned room = max + (ready < queue.ring.capacity() ? queue.ring.capacity() - ready : 0);
  if (room == 0) {
    queue.more.store(true, std::memory_order_relaxed);
    return 0;
  }
  epoll_event events[Watcher::kBatch];
  // What does not go to the caller is asked for again, and is newer then; but for one, which tells that there is more.
  bool has_ring = queue.watcher.uses_ring();
  int wanted = static_cast<int>(max != 0 && max < room ? max + !has_ring : room);
  if (wanted > Watcher::kBatch) wanted = Watcher::kBatch;
  bool left = queue.level_out || queue.more.load(std::memory_order_relaxed);
  queue.level_out = false;
  int count = queue.watcher.harvest(events, wanted, left);
  if (queue.watcher.has_lost_ring()) {
    give_ring_up(queue, -EIO);
    has_ring = false;
    if (count <= 0) count = queue.watcher.harvest(events, wanted, true);
  }
  ++queue.kernel_waits;
  queue.unlooked = 0;
  if (count < 0) {
    queue.more.store(true, std::memory_order_relaxed);
    return count == -EINTR ? 0 : count;
  }
  // With a ring it is the watcher that knows.
  queue.more.store(!has_ring && count == wanted, std::memory_order_relaxed);
  const epoll_event* of_set = events + queue.watcher.set_at();
  int from_set = queue.watcher.from_set();
  for (int i = 0; i < from_set; ++i)
    if (of_set[i].data.u64 == token_of(Internal::bell)) queue.bell.heard();
  unsigned handed = process(queue, events, count, out, max);
  if (queue.ring_reason == -EAGAIN || has_ring) consider_ring(queue, of_set, from_set);
  return static_cast<int>(handed);
}

}  // namespace kev::queue
