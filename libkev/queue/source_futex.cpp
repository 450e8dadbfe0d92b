// Futexes: what a registration says; who waits is futex_helper.cpp.
#include "queue/queue.hpp"

namespace kev::queue {

namespace {

const uint32_t* word_of(const Entry& entry) {
  return reinterpret_cast<const uint32_t*>(entry.ident.load(std::memory_order_relaxed));
}

// Waits, or reports at once.
int wait_for(Queue& queue, Entry& entry) {
  uint32_t seen;
  int error = read_futex(word_of(entry), entry.value, entry.has(KEV_SHARED), seen);
  if (error < 0) return error;
  if (seen != entry.value) {
    report_futex(queue, entry, KEV_CHANGED, seen);
    return 0;
  }
  return queue.futexes.add(queue, entry);
}

}  // namespace

int start_futex(Queue& queue, Entry& entry, const kev_change& change, bool modify) {
  if (change.what != 0 || change.ident % sizeof(uint32_t) != 0 || change.arg[0] > UINT32_MAX) return -EINVAL;
  if (change.arg[1] != 0 || change.arg[2] != 0 || change.arg[3] != 0) return -EINVAL;
  if (!FutexHelper::is_supported()) return -EOPNOTSUPP;
  if (modify && entry.enabled.load(std::memory_order_relaxed)) queue.futexes.remove(queue, entry);
  entry.value = static_cast<uint32_t>(change.arg[0]);
  entry.flags.store(change.flags, std::memory_order_relaxed);
  entry.enabled.store(true, std::memory_order_relaxed);
  return wait_for(queue, entry);
}

int enable_futex(Queue& queue, Entry& entry, bool enabled) {
  if (enabled) return wait_for(queue, entry);
  queue.futexes.remove(queue, entry);
  return 0;
}

void stop_futex(Queue& queue, Entry& entry) {
  if (entry.enabled.load(std::memory_order_relaxed))
    queue.futexes.remove(queue, entry);
  else if (entry.queued && entry.bits != 0)
    // It was for one waiter, and that was not us. A change too: of words that are woken together the kernel names one.
    wake_futex(word_of(entry), entry.has(KEV_SHARED));
}

void report_futex(Queue& queue, Entry& entry, uint32_t what, uint32_t seen) {
  entry.bits = what;
  entry.seen = seen;
  entry.enabled.store(false, std::memory_order_relaxed);
  publish(queue, entry);
}

bool fill_futex(Queue&, Entry& entry, kev_event& event) {
  event.what = entry.bits;
  event.data[0] = entry.seen;
  entry.bits = 0;
  return event.what != 0;
}

}  // namespace kev::queue
