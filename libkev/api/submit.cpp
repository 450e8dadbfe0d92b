// Changing what is waited for: kev_submit(3).
#include "api/exported.hpp"
#include "os/file.hpp"
#include "queue/post.hpp"
#include "queue/queue.hpp"

using namespace kev::queue;

namespace {

bool is_bare(const kev_change& change) {
  return change.udata == 0 && change.arg[0] == 0 && change.arg[1] == 0 && change.arg[2] == 0 && change.arg[3] == 0 &&
         change.flags == 0 && change.what == 0;
}

int start(Queue& queue, Entry& entry, const kev_change& change, bool modify) {
  switch (change.source) {
    case KEV_SOURCE_FD: return start_fd(queue, entry, change, modify);
    case KEV_SOURCE_USER: return start_user(queue, entry, change, modify);
    case KEV_SOURCE_TIMER: return start_timer(queue, entry, change, modify);
    case KEV_SOURCE_SIGNAL: return start_signal(queue, entry, change, modify);
    case KEV_SOURCE_PROCESS: return start_process(queue, entry, change, modify);
    default: return start_futex(queue, entry, change, modify);
  }
}

int add(Queue& queue, const kev_change& change) {
  Entry* entry = queue.table.insert(change.source, change.ident);
  if (entry == nullptr) return -ENOMEM;
  uint32_t flags = change.flags;
  // A process ends once.
  if (change.source == KEV_SOURCE_PROCESS) flags |= KEV_ONESHOT;
  entry->udata = change.udata;
  entry->flags.store(flags, std::memory_order_release);
  int error = start(queue, *entry, change, false);
  if (error < 0) {
    queue.table.erase(*entry);
    queue.table.recycle(*entry);
  }
  return error;
}

int modify(Queue& queue, Entry& entry, const kev_change& change) {
  int error = start(queue, entry, change, true);
  if (error < 0) return error;
  entry.udata = change.udata;
  entry.flags.store(change.source == KEV_SOURCE_PROCESS ? change.flags | KEV_ONESHOT : change.flags,
                    std::memory_order_release);
  if (change.source != KEV_SOURCE_FUTEX) entry.enabled.store(true, std::memory_order_relaxed);
  return 0;
}

int apply(Queue& queue, const kev_change& change) {
  settle_ring(queue, false);
  uint32_t flags = flags_of(change.source);
  if (flags == 0 || change.reserved != 0 || (change.flags & ~flags) != 0) return -EINVAL;
  if (change.op < KEV_ADD || change.op > KEV_DELETE) return -EINVAL;
  Entry* entry = queue.table.find(change.source, change.ident);
  if (change.op == KEV_ADD) {
    if (is_shut(queue)) return -ESHUTDOWN;
    return entry != nullptr ? -EEXIST : add(queue, change);
  }
  if (change.op != KEV_MOD && !is_bare(change)) return -EINVAL;
  if (entry == nullptr) return -ENOENT;
  switch (change.op) {
    case KEV_MOD: return modify(queue, *entry, change);
    case KEV_ENABLE: return set_enabled(queue, *entry, true);
    case KEV_DISABLE: return set_enabled(queue, *entry, false);
    default: retire(queue, *entry); return 0;
  }
}

// Tells who sleeps what has become of it, and gives the lock back.
void publish_changes(Queue& queue, bool announced) {
  bool all = queue.wake_all, alarm = check_sleepers_alarm(queue);
  queue.wake_all = false;
  settle_outside(queue);
  queue.lock.unlock();
  if (announced || all) announce(queue, all);
  if (alarm) queue.bell.notify();
}

int submit_one(Queue* queue, const kev_change& change) {
  int error = check(queue);
  if (error < 0) return error;
  queue->lock.lock();
  error = apply(*queue, change);
  publish_changes(*queue, stands(*queue));
  return error;
}

kev_change added(uint16_t source, uint64_t ident, uint32_t flags, uint64_t udata) {
  kev_change change = {};
  change.source = source;
  change.op = KEV_ADD;
  change.ident = ident;
  change.flags = flags;
  change.udata = udata;
  return change;
}

}  // namespace

KEV_EXPORT int kev_submit(kev_queue* queue, kev_change* changes, unsigned count) {
  int error = check(queue);
  if (error < 0) return error;
  if (changes == nullptr && count > 0) return -EINVAL;
  unsigned failed = 0;
  bool holds = false;
  for (unsigned i = 0; i < count; ++i) {
    kev_change& change = changes[i];
    if (change.op == KEV_TRIGGER) {
      // Posting takes no lock, and may have to wake.
      bool is_valid = change.source == KEV_SOURCE_USER && change.udata == 0 && change.flags == 0 && change.what == 0 &&
                      change.reserved == 0;
      if (holds) publish_changes(*queue, true);
      holds = false;
      change.result = is_valid ? post(*queue, change.ident, static_cast<int64_t>(change.arg[0]), change.arg + 1)
                               : -EINVAL;
    } else {
      if (!holds) queue->lock.lock();
      holds = true;
      change.result = apply(*queue, change);
    }
    failed += change.result < 0;
  }
  if (holds) publish_changes(*queue, stands(*queue));
  return static_cast<int>(failed);
}

KEV_EXPORT int kev_add_fd(kev_queue* queue, int fd, uint32_t what, uint32_t flags, uint64_t udata) {
  kev_change change = added(KEV_SOURCE_FD, static_cast<uint64_t>(static_cast<int64_t>(fd)), flags, udata);
  change.what = what;
  return submit_one(queue, change);
}

KEV_EXPORT int kev_add_timer(kev_queue* queue, uint64_t id, const kev_deadline* first, uint64_t period_ns,
                             uint32_t flags, uint64_t udata) {
  kev_change change = added(KEV_SOURCE_TIMER, id, flags, udata);
  if (first != nullptr) {
    change.arg[0] = static_cast<uint64_t>(first->ns);
    change.arg[1] = first->slack_ns;
    change.arg[2] = static_cast<uint32_t>(first->clock) | uint64_t{first->flags} << 32;
  } else {
    change.arg[2] = ~uint64_t{0};
  }
  change.arg[3] = period_ns;
  return submit_one(queue, change);
}

KEV_EXPORT int kev_add_signal(kev_queue* queue, int signo, uint32_t flags, uint64_t udata) {
  return submit_one(queue, added(KEV_SOURCE_SIGNAL, static_cast<uint64_t>(static_cast<int64_t>(signo)), flags, udata));
}

KEV_EXPORT int kev_add_process(kev_queue* queue, int pidfd, uint32_t flags, uint64_t udata) {
  return submit_one(queue, added(KEV_SOURCE_PROCESS, static_cast<uint64_t>(static_cast<int64_t>(pidfd)), flags, udata));
}

KEV_EXPORT int kev_add_futex(kev_queue* queue, const uint32_t* word, uint32_t value, uint32_t flags, uint64_t udata) {
  kev_change change = added(KEV_SOURCE_FUTEX, reinterpret_cast<uint64_t>(word), flags, udata);
  change.arg[0] = value;
  return submit_one(queue, change);
}

KEV_EXPORT int kev_add_user(kev_queue* queue, uint64_t id, uint32_t flags, uint64_t udata) {
  return submit_one(queue, added(KEV_SOURCE_USER, id, flags, udata));
}

KEV_EXPORT int kev_delete(kev_queue* queue, uint16_t source, uint64_t ident) {
  kev_change change = {};
  change.source = source;
  change.op = KEV_DELETE;
  change.ident = ident;
  return submit_one(queue, change);
}

KEV_EXPORT int kev_close_fd(kev_queue* queue, int fd) {
  int error = kev_delete(queue, KEV_SOURCE_FD, static_cast<uint64_t>(static_cast<int64_t>(fd)));
  if (error < 0 && error != -ENOENT) return error;
  return kev::os::close(fd);
}
