// A queue: its parts, and the steps that its callers are made of. docs/queue.md has the states and who wakes whom.
//
// Every function here but stands() and finish_post() is called with the queue's lock held, and sleeps nowhere. Who has
// made something stand calls announce() after the lock is free.
#pragma once

#include <kev/kev.h>

#include <atomic>
#include <cstdint>
#include <sys/signalfd.h>

#include "queue/doorbell.hpp"
#include "queue/entry_table.hpp"
#include "queue/event_ring.hpp"
#include "queue/futex_helper.hpp"
#include "queue/lock.hpp"
#include "queue/timer_wheel.hpp"
#include "queue/watcher.hpp"

namespace kev::queue {

// What a ring slot holds beside its event.
enum class Kind : uint8_t {
  posted,    // the event is complete but for what the registration says
  standing,  // the event is made from the registration as it is claimed
  notice,    // KEV_E_DELETED
  returned,  // complete: it was claimed and given back
};
struct Record {
  Reference reference;
  Kind kind = Kind::posted;
};

// A claim that stands, or events that were given back, at the place of its first event.
struct ClaimRecord {
  uint64_t position;
  uint32_t count;  // 0: none
  bool returned;
  const void* owner;  // a thread
};

using Ring = EventRing<Record>;

struct Detail {
  unsigned char bytes[144];
  uint32_t size;
};

inline constexpr unsigned kClocks = 3;

}  // namespace kev::queue

struct kev_queue {
  static constexpr uint32_t kMagic = 0x6b657651;

  std::atomic<uint32_t> magic{0};
  std::atomic<uint32_t> shut{0};
  std::atomic<uint32_t>* alive = nullptr;  // in a page that a forked child finds cleared
  uint32_t flags = 0;
  kev::queue::Ring ring;
  kev::queue::Doorbell bell;
  kev::queue::EntryTable table;
  std::atomic<uint32_t> posted{kev::queue::kNone};  // registrations with KEV_COALESCE that were posted
  std::atomic<uint32_t> has_outside{0};             // kev_fd() is in use
  std::atomic<uint32_t> outside_set{0};             // its bell is set

  kev_event* events = nullptr;

  // What is above is read by those who post; who takes writes here.
  alignas(64) kev::queue::Lock lock;
  kev::queue::Watcher watcher;
  kev::queue::Ring::Slot* slots = nullptr;
  kev::queue::ClaimRecord* claims = nullptr;
  kev::queue::Detail* details = nullptr;  // once a source needs them
  uint32_t claims_standing = 0;
  std::atomic<uint32_t> returned{0};  // events that were given back
  std::atomic<uint32_t> pending_first{kev::queue::kNone};
  uint32_t pending_last = kev::queue::kNone;

  std::atomic<bool> more{false};  // the kernel may have more than the last harvest took
  bool level_out = false;  // something level-triggered was reported since it was last seen quiet
  bool wake_all = false;   // something that is to wake all was published
  bool probe_pays = true;  // with KEV_Q_SINGLE: looking before sleeping found something
  uint32_t unlooked = 0;   // waits that the ring has served since the kernel was looked at
  uint32_t sleeps_in_turn = 0;

  kev::queue::TimerWheel wheels[kev::queue::kClocks];
  int32_t ring_reason = 0;     // why there is no ring; 0: none was asked for
  uint8_t ring_after = 4;      // reports of a descriptor, before it goes to the ring
  bool ring_takes_all = false; // not sockets alone: for tests

  int alarm = -1;  // a timerfd, where no sleeper's own timeout will do
  int64_t alarm_set = INT64_MAX;  // what it is set to: CLOCK_MONOTONIC
  int64_t alarm_at = INT64_MAX;   // the next timer that those who sleep know of
  int clock_notice = -1;
  std::atomic<uint32_t> clock_sets{0};

  int signals = -1;
  uint64_t signal_mask = 0;
  bool signal_is_held = false;  // read, and not in the ring for want of room
  signalfd_siginfo held_signal;

  kev::queue::FutexHelper futexes;

  int outside = -1, outside_bell = -1;

  uint64_t delivered = 0, kernel_waits = 0, sleeps = 0, full = 0;
  kev_queue* next = nullptr;  // among all, or among those that were destroyed
};

namespace kev::queue {

using Queue = ::kev_queue;

// ---- stand.cpp: how things come to stand ----

// The registration has something to deliver: into the ring, or where it waits for room.
void publish(Queue& queue, Entry& entry);
// An event that is complete. False: no room.
bool publish_posted(Queue& queue, Entry& entry, int64_t result, const uint64_t data[3], const void* detail,
                    uint32_t detail_size);
// What is due, was added up, or waited for room, goes into the ring.
void collect_slowly(Queue& queue);
inline bool needs_collecting(const Queue& queue) {
  return queue.pending_first.load(std::memory_order_relaxed) != kNone || queue.signal_is_held ||
         queue.posted.load(std::memory_order_relaxed) != kNone || !queue.wheels[0].empty() ||
         !queue.wheels[1].empty() || !queue.wheels[2].empty();
}
inline void collect(Queue& queue) {
  if (needs_collecting(queue)) collect_slowly(queue);
}
// It no longer waits for room.
void unlink_pending(Queue& queue, Entry& entry);
// Whether something may stand that nobody has claimed. Without the lock.
inline bool stands(const Queue& queue) {
  return queue.ring.tail() != queue.ring.head() || queue.returned.load(std::memory_order_relaxed) != 0 ||
         queue.posted.load(std::memory_order_seq_cst) != kNone ||
         queue.pending_first.load(std::memory_order_relaxed) != kNone;
}
// Wakes who is to be woken for what was published. Without the lock.
inline void announce(Queue& queue, bool all) {
  uint32_t sleepers = queue.bell.sleepers();
  if (sleepers == 0) return;
  if (all && sleepers > 1)
    queue.bell.request(sleepers - 1);
  else
    queue.bell.notify();
}

// ---- claim.cpp: how things are taken ----

// Moves up to `max` events into `out`, and is done with them.
unsigned take(Queue& queue, kev_event* out, unsigned max);
// How many could be taken, counted up to `most`; `looked_at`: slots of the ring that were published.
unsigned count_ready(Queue& queue, unsigned most, uint32_t* looked_at = nullptr);
// Events at the ring's beginning that nobody can take any more are dropped.
void sweep(Queue& queue);
unsigned claim(Queue& queue, unsigned max, kev_claim& claim, const void* owner);
ClaimRecord* find_claim(Queue& queue, const kev_claim& claim);
void commit(Queue& queue, ClaimRecord& record);
void unclaim(Queue& queue, ClaimRecord& record, uint32_t from);
// What kev_wait does without the ring: an event of `entry` straight into `out`. False: there is none to report.
bool hand_over(Queue& queue, Entry& entry, kev_event& out);

// ---- harvest.cpp: what the kernel has ----

// Takes what the kernel reports. With `out`, into it, up to `max`, as far as nothing stands before it; the rest into
// the ring. Returns how many went into `out`; -errno.
int harvest(Queue& queue, kev_event* out, unsigned max);
unsigned process(Queue& queue, const epoll_event* events, int count, kev_event* out, unsigned max);

// ---- ring_use.cpp: what goes to a ring, and comes back from it ----

// Of `events`, which the watched set has just reported and which are delivered after this: what has been busy enough is
// polled by the calling thread's ring from now on. The calling thread is the one that waits.
void consider_ring(Queue& queue, const epoll_event* events, int count);
// What the ring polls no more is in the watched set again.
void back_to_set(Queue& queue, Entry& entry);
// The ring polls it no more, and its file is let go of: at once, if the calling thread is the ring's owner. `stays`: it is
// in the watched set then, and silent.
void leave_ring(Queue& queue, Entry& entry, bool stays);
// All goes back to the watched set, for good.
void give_ring_up(Queue& queue, int reason);
// What the calling thread's ring has to see to, if it has one: that somebody gave it up. `waits`: it is about to wait.
inline void settle_ring(Queue& queue, bool waits) {
  if (waits && queue.watcher.uses_ring() && !queue.watcher.is_ring_mine()) give_ring_up(queue, -EOPNOTSUPP);
  queue.watcher.close_ring();
}

// ---- the sources ----

// The flags that a source's registrations may have; 0: there is no such source.
constexpr uint32_t flags_of(uint32_t source) {
  constexpr uint32_t kEvery = KEV_ONESHOT | KEV_DISPATCH | KEV_WAKE_ALL | KEV_NOTIFY_DELETE;
  switch (source) {
    case KEV_SOURCE_FD: return kEvery | KEV_EDGE | KEV_RECHECK | KEV_DATA;
    case KEV_SOURCE_USER: return kEvery | KEV_COALESCE;
    case KEV_SOURCE_TIMER: return kEvery | KEV_NOTICE_CLOCK_SET;
    case KEV_SOURCE_SIGNAL: return kEvery;
    case KEV_SOURCE_PROCESS: return kEvery | KEV_REAP;
    case KEV_SOURCE_FUTEX: return kEvery | KEV_SHARED;
    default: return 0;
  }
}

// 0 or -errno. `entry` is new, or (modify) has its old settings still.
int start_fd(Queue& queue, Entry& entry, const kev_change& change, bool modify);
int start_timer(Queue& queue, Entry& entry, const kev_change& change, bool modify);
int start_signal(Queue& queue, Entry& entry, const kev_change& change, bool modify);
int start_process(Queue& queue, Entry& entry, const kev_change& change, bool modify);
int start_futex(Queue& queue, Entry& entry, const kev_change& change, bool modify);
int start_user(Queue& queue, Entry& entry, const kev_change& change, bool modify);
// Reports again, or no more.
int set_enabled(Queue& queue, Entry& entry, bool enabled);
// The registration goes; nothing of it is reported by its source any more.
void stop_source(Queue& queue, Entry& entry);
// Deletes: from the table, its source, and what stands.
void retire(Queue& queue, Entry& entry);

// Makes the event, but for ident, udata, source and time. False: after all there is none.
bool fill_fd(Queue& queue, Entry& entry, kev_event& event);
bool fill_timer(Queue& queue, Entry& entry, kev_event& event);
bool fill_user(Queue& queue, Entry& entry, kev_event& event);
bool fill_process(Queue& queue, Entry& entry, kev_event& event, Detail* detail);
bool fill_futex(Queue& queue, Entry& entry, kev_event& event);

// Reads what the signal descriptor has, as far as there is room.
void read_signals(Queue& queue);
int make_details(Queue& queue);

// ---- timers ----

void expire_timers(Queue& queue);
// Nanoseconds until the next timer; INT64_MAX: there is none.
int64_t timer_left(Queue& queue);
// Sees to it that somebody wakes up for the next timer: by `timeout` (made shorter) if `own`, else by the alarm.
void arm_for_sleep(Queue& queue, int64_t& timeout, bool own);
// There is no timer any more that the alarm could be for.
void clear_alarm(Queue& queue);
// A timer was changed: sleepers that would sleep too long are told. True: one must be woken.
bool check_sleepers_alarm(Queue& queue);
// CLOCK_REALTIME being set is noticed from now on. 0 or -errno.
int watch_clock(Queue& queue);
void read_clock_notice(Queue& queue);
void note_clock_set(Queue& queue);
void enable_timer(Queue& queue, Entry& entry, bool enabled);
void enable_signal(Queue& queue, int signal, bool enabled);
int enable_watched(Queue& queue, Entry& entry, bool enabled);
int enable_futex(Queue& queue, Entry& entry, bool enabled);
void stop_futex(Queue& queue, Entry& entry);
void report_futex(Queue& queue, Entry& entry, uint32_t what, uint32_t seen);

// ---- outside.cpp: kev_fd ----

// The bell of kev_fd() says whether something stands. With the lock held.
void settle_outside_slowly(Queue& queue);
inline void settle_outside(Queue& queue) {
  if (queue.has_outside.load(std::memory_order_relaxed) != 0) settle_outside_slowly(queue);
}
// 0 or more: the descriptor; -errno.
int open_outside(Queue& queue);
// Something was posted. Without the lock.
void set_outside(Queue& queue);
inline void post_outside(Queue& queue) {
  if (queue.has_outside.load(std::memory_order_seq_cst) != 0) set_outside(queue);
}

// ---- create.cpp, handles.cpp ----

// 0, or why `queue` cannot be used. Async-signal-safe.
inline int check(const Queue* queue) {
  if (queue == nullptr) return -EINVAL;
  if (queue->magic.load(std::memory_order_relaxed) != Queue::kMagic) return -EBADF;
  return queue->alive->load(std::memory_order_relaxed) == 0 ? -ECHILD : 0;
}
inline bool is_shut(const Queue& queue) { return queue.shut.load(std::memory_order_seq_cst) != 0; }

// What stands for the calling thread; registers that its claims are given back when it ends.
const void* this_thread();
inline thread_local char thread_mark = 0;

}  // namespace kev::queue
