// What is the same for every source: a registration is enabled, disabled, and goes.
#include "queue/queue.hpp"

#include <sys/epoll.h>

namespace kev::queue {

int set_enabled(Queue& queue, Entry& entry, bool enabled) {
  bool was = entry.enabled.load(std::memory_order_relaxed);
  uint32_t source = entry.source.load(std::memory_order_relaxed);
  if (was == enabled) return 0;
  entry.enabled.store(enabled, std::memory_order_relaxed);
  int error = 0;
  switch (source) {
    case KEV_SOURCE_FD:
    case KEV_SOURCE_PROCESS: error = enable_watched(queue, entry, enabled); break;
    case KEV_SOURCE_TIMER: enable_timer(queue, entry, enabled); break;
    case KEV_SOURCE_SIGNAL: enable_signal(queue, entry.fd(), enabled); break;
    case KEV_SOURCE_FUTEX: error = enable_futex(queue, entry, enabled); break;
    default: break;
  }
  if (error < 0) entry.enabled.store(was, std::memory_order_relaxed);
  return error;
}

void stop_source(Queue& queue, Entry& entry) {
  switch (entry.source.load(std::memory_order_relaxed)) {
    case KEV_SOURCE_FD:
    case KEV_SOURCE_PROCESS:
      // One that has reported once is silent, and stays in the set until its file goes or it is added again.
      if (entry.polled)
        leave_ring(queue, entry, false);
      else if (!entry.spent)
        queue.watcher.disarm(entry.fd());
      break;
    case KEV_SOURCE_TIMER: enable_timer(queue, entry, false); break;
    case KEV_SOURCE_SIGNAL: enable_signal(queue, entry.fd(), false); break;
    case KEV_SOURCE_FUTEX: stop_futex(queue, entry); break;
    default: break;
  }
}

void retire(Queue& queue, Entry& entry) {
  stop_source(queue, entry);
  unlink_pending(queue, entry);
  entry.spent = entry.queued = false;
  entry.what = entry.source.load(std::memory_order_relaxed);
  entry.dying = entry.has(KEV_NOTIFY_DELETE);
  queue.table.erase(entry);
  if (!entry.dying)
    queue.table.recycle(entry);
  else if (entry.claims == 0)
    publish(queue, entry);
}

}  // namespace kev::queue
