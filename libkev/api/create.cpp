// Making, ending and asking about queues: kev_create(3).
#include "queue/create.hpp"

#include <cstring>

#include "api/exported.hpp"

using namespace kev::queue;

namespace {

constexpr uint32_t kDefaultRing = 256, kSmallestRing = 2, kLargestRing = 65536;

uint32_t what_of(uint16_t source) {
  switch (source) {
    case KEV_SOURCE_FD: return KEV_IN | KEV_PRI | KEV_OUT | KEV_ERR | KEV_HUP | KEV_RDHUP;
    case KEV_SOURCE_USER: return KEV_POSTED;
    case KEV_SOURCE_TIMER: return KEV_EXPIRED | KEV_CLOCK_SET;
    case KEV_SOURCE_SIGNAL: return KEV_RAISED;
    case KEV_SOURCE_PROCESS: return KEV_EXIT;
    case KEV_SOURCE_FUTEX: return KEV_WOKEN | KEV_CHANGED;
    default: return 0;
  }
}

}  // namespace

KEV_EXPORT int kev_create(kev_queue** queue, const kev_attr* attr, size_t attr_size) {
  if (queue == nullptr) return -EINVAL;
  *queue = nullptr;
  kev_attr known = {};
  if (attr == nullptr) {
    if (attr_size != 0) return -EINVAL;
  } else {
    if (attr_size < sizeof known.flags + sizeof known.ring_entries) return -EINVAL;
    const char* bytes = reinterpret_cast<const char*>(attr);
    for (size_t i = sizeof known; i < attr_size; ++i)
      if (bytes[i] != 0) return -E2BIG;
    std::memcpy(&known, attr, attr_size < sizeof known ? attr_size : sizeof known);
  }
  if ((known.flags & ~(KEV_Q_SINGLE | KEV_Q_TIME | KEV_Q_NO_URING | KEV_Q_URING)) != 0) return -EINVAL;
  constexpr uint32_t kRing = KEV_Q_SINGLE | KEV_Q_URING;
  if ((known.flags & KEV_Q_URING) != 0 && (known.flags & (kRing | KEV_Q_NO_URING)) != kRing) return -EINVAL;
  if (known.reserved[0] != 0 || known.reserved[1] != 0) return -EINVAL;
  uint32_t entries = known.ring_entries == 0 ? kDefaultRing : known.ring_entries;
  if (entries < kSmallestRing || entries > kLargestRing || (entries & (entries - 1)) != 0) return -EINVAL;
  return create(queue, known.flags, entries);
}

KEV_EXPORT int kev_destroy(kev_queue* queue) {
  int error = check(queue);
  if (error < 0 && error != -ECHILD) return error;
  return destroy(*queue, error == -ECHILD);
}

KEV_EXPORT int kev_shutdown(kev_queue* queue) {
  int error = check(queue);
  if (error < 0) return error;
  queue->shut.store(1, std::memory_order_seq_cst);
  queue->bell.notify();
  return 0;
}

KEV_EXPORT int kev_query(const kev_queue* queue, kev_info* info, size_t info_size) {
  int error = check(queue);
  if (error < 0) return error;
  if (info == nullptr || info_size == 0) return -EINVAL;
  auto& asked = const_cast<Queue&>(*queue);
  kev_info known = {};
  {
    Locked locked(asked.lock);
    known.engine = queue->watcher.uses_ring() ? KEV_ENGINE_URING : KEV_ENGINE_EPOLL;
    known.reason = queue->watcher.uses_ring() ? 0 : queue->ring_reason;
    known.ring_entries = queue->ring.capacity();
    known.registrations = queue->table.size();
    known.ready = count_ready(asked, queue->ring.capacity());
    known.waiters = queue->bell.sleepers();
    known.descriptors = queue->watcher.descriptors();
    for (int fd : {queue->alarm, queue->clock_notice, queue->signals, queue->outside, queue->outside_bell})
      known.descriptors += fd >= 0;
    known.threads = queue->futexes.is_running();
    known.events = queue->delivered;
    known.kernel_waits = queue->kernel_waits;
    known.sleeps = queue->sleeps;
    known.full = queue->full;
  }
  std::memcpy(info, &known, info_size < sizeof known ? info_size : sizeof known);
  if (info_size > sizeof known) std::memset(reinterpret_cast<char*>(info) + sizeof known, 0, info_size - sizeof known);
  return sizeof known;
}

KEV_EXPORT int kev_supports(uint16_t source, uint32_t what, uint32_t flags) {
  uint32_t all_what = what_of(source);
  if (all_what == 0 || (what & ~all_what) != 0 || (flags & ~flags_of(source)) != 0) return 0;
  return source != KEV_SOURCE_FUTEX || FutexHelper::is_supported() ? 1 : 0;
}
