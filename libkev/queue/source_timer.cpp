// Timers in user space, a wheel per clock; the kernel is told only for the sake of those who sleep.
//
// Whoever sleeps alone does so no longer than until the next timer. Where several sleep, or kev_fd() is in use, or the
// clock counts while the machine is suspended, a timerfd among the watched descriptors wakes one of them.
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include "os/clock.hpp"
#include "os/file.hpp"
#include "queue/deadline.hpp"
#include "queue/queue.hpp"

namespace kev::queue {

namespace {

constexpr clockid_t kIds[kClocks] = {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME};
enum { kMonotonic, kRealtime, kBoottime };

uint8_t index_of(clockid_t clock) {
  return clock == CLOCK_MONOTONIC ? kMonotonic : clock == CLOCK_REALTIME ? kRealtime : kBoottime;
}

TimerWheel& wheel_of(Queue& queue, const Entry& entry) { return queue.wheels[entry.wheel]; }

int make_timerfd(Queue& queue, clockid_t clock, uint32_t bits, Internal what) {
  int fd = static_cast<int>(arch::syscall(SYS_timerfd_create, clock, TFD_CLOEXEC | TFD_NONBLOCK));
  if (fd < 0) return fd;
  int error = queue.watcher.arm(fd, bits, token_of(what));
  if (error < 0) os::close(fd);
  return error < 0 ? error : fd;
}

int set_timerfd(int fd, int flags, timespec at) {
  itimerspec value = {{0, 0}, at};
  return static_cast<int>(arch::syscall(SYS_timerfd_settime, fd, flags, reinterpret_cast<long>(&value), 0));
}

void arm(Queue& queue, Entry& entry) {
  TimerWheel& wheel = wheel_of(queue, entry);
  int64_t due = entry.first;
  if (!entry.is_absolute || wheel.empty()) {
    int64_t now = os::clock_ns(kIds[entry.wheel]);
    if (wheel.empty()) wheel.rebase(now);
    if (!entry.is_absolute) due = due <= 0 ? now : due > INT64_MAX - now ? INT64_MAX : now + due;
  }
  wheel.add(entry.timer, due);
}

void expire(Queue& queue, Entry& entry, int64_t now) {
  if (entry.expirations == 0) entry.was_due = entry.timer.due;
  uint64_t times = 1;
  if (entry.period > 0) times += static_cast<uint64_t>((now - entry.timer.due) / entry.period);
  entry.expirations += times;
  bool ends = entry.has(KEV_ONESHOT | KEV_DISPATCH);
  if (entry.has(KEV_DISPATCH)) entry.enabled.store(false, std::memory_order_relaxed);
  int64_t next;
  if (entry.period > 0 && !ends &&
      !__builtin_add_overflow(entry.timer.due, static_cast<int64_t>(times) * entry.period, &next))
    wheel_of(queue, entry).add(entry.timer, next);
  publish(queue, entry);
}

}  // namespace

int start_timer(Queue& queue, Entry& entry, const kev_change& change, bool modify) {
  // All ones in the third argument: there is no first expiration.
  bool has_first = change.arg[2] != ~uint64_t{0};
  const kev_deadline first = {static_cast<int64_t>(change.arg[0]), change.arg[1],
                              static_cast<int32_t>(static_cast<uint32_t>(change.arg[2])),
                              static_cast<uint32_t>(change.arg[2] >> 32)};
  if (has_first) {
    int error = check(first, KEV_ABS);
    if (error < 0) return error;
  } else if (change.arg[0] != 0 || change.arg[1] != 0) {
    return -EINVAL;
  }
  if (change.what != 0 || change.arg[3] > INT64_MAX) return -EINVAL;
  bool follows_clock = has_first && first.clock == CLOCK_REALTIME && (first.flags & KEV_ABS) != 0;
  if (follows_clock || (change.flags & KEV_NOTICE_CLOCK_SET) != 0) {
    int error = watch_clock(queue);
    if (error < 0) return error;
  }
  if (modify && entry.timer.armed) wheel_of(queue, entry).remove(entry.timer);
  entry.first = first.ns;
  entry.has_first = has_first;
  if (has_first) {
    entry.wheel = index_of(clock_of(first));
    entry.is_absolute = (first.flags & KEV_ABS) != 0;
  }
  entry.period = static_cast<int64_t>(change.arg[3]);
  if (has_first) arm(queue, entry);
  return 0;
}

void enable_timer(Queue& queue, Entry& entry, bool enabled) {
  if (entry.timer.armed) wheel_of(queue, entry).remove(entry.timer);
  if (enabled && entry.has_first) arm(queue, entry);
}

bool fill_timer(Queue&, Entry& entry, kev_event& event) {
  event.result = static_cast<int64_t>(entry.expirations);
  if (entry.expirations != 0) {
    event.what = KEV_EXPIRED;
    event.data[0] = static_cast<uint64_t>(entry.was_due);
  }
  event.what |= entry.bits;
  entry.bits = 0;
  entry.expirations = 0;
  return event.what != 0;
}

void expire_timers(Queue& queue) {
  constexpr int kAtOnce = 256;  // so that the lock is not held for long
  for (unsigned i = 0; i < kClocks; ++i) {
    TimerWheel& wheel = queue.wheels[i];
    if (wheel.empty()) continue;
    int64_t now = os::clock_ns(kIds[i]);
    for (int count = 0; count < kAtOnce; ++count) {
      TimerNode* node = wheel.expire(now);
      if (node == nullptr) break;
      expire(queue, entry_of(*node), now);
    }
  }
}

int64_t timer_left(Queue& queue) {
  int64_t left = INT64_MAX;
  for (unsigned i = 0; i < kClocks; ++i) {
    if (queue.wheels[i].empty()) continue;
    int64_t next = queue.wheels[i].next(), now = os::clock_ns(kIds[i]);
    int64_t until = next > now ? next - now : 0;
    if (until < left) left = until;
  }
  return left;
}

void arm_for_sleep(Queue& queue, int64_t& timeout, bool own) {
  int64_t left = timer_left(queue);
  int64_t now = os::clock_ns(CLOCK_MONOTONIC);
  int64_t at = left > INT64_MAX - now ? INT64_MAX : now + left;
  bool needs_alarm = (!own || !queue.wheels[kBoottime].empty()) && left != INT64_MAX;
  if (needs_alarm && queue.alarm < 0) {
    int fd = make_timerfd(queue, CLOCK_BOOTTIME, EPOLLIN | EPOLLET, Internal::alarm);
    queue.alarm = fd < 0 ? -1 : fd;
  }
  // Left alone where it is set for that very time, which is told again with some nanoseconds' difference.
  constexpr int64_t kSame = 2000;
  if (needs_alarm && queue.alarm >= 0) {
    if (at < queue.alarm_set - kSame || at - kSame > queue.alarm_set) {
      int64_t soon = left > 0 ? left : 1;
      set_timerfd(queue.alarm, 0, {soon / wait::Deadline::kSecond, soon % wait::Deadline::kSecond});
      queue.alarm_set = at;
    }
  } else if (left < timeout) {
    timeout = left;
  }
  queue.alarm_at = at;
}

bool check_sleepers_alarm(Queue& queue) {
  if (queue.bell.sleepers() == 0) return false;
  int64_t left = timer_left(queue);
  if (left == INT64_MAX) return false;
  return queue.alarm_at == INT64_MAX || left + os::clock_ns(CLOCK_MONOTONIC) < queue.alarm_at;
}

void clear_alarm(Queue& queue) {
  if (queue.alarm_set == INT64_MAX) return;
  set_timerfd(queue.alarm, 0, {0, 0});
  queue.alarm_set = INT64_MAX;
}

int watch_clock(Queue& queue) {
  if (queue.clock_notice >= 0) return 0;
  int fd = make_timerfd(queue, CLOCK_REALTIME, EPOLLIN, Internal::clock_notice);
  if (fd < 0) return fd;
  constexpr time_t kFarAway = 8'000'000'000;
  set_timerfd(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, {kFarAway, 0});
  queue.clock_notice = fd;
  return 0;
}

void read_clock_notice(Queue& queue) {
  uint64_t ignored;
  if (os::read(queue.clock_notice, &ignored, sizeof ignored) != -ECANCELED) return;
  note_clock_set(queue);
}

void note_clock_set(Queue& queue) {
  queue.clock_sets.fetch_add(1, std::memory_order_relaxed);
  queue.wheels[kRealtime].rebase(os::clock_ns(CLOCK_REALTIME));
  queue.table.for_each([&](Entry& entry) {
    if (entry.source.load(std::memory_order_relaxed) != KEV_SOURCE_TIMER || !entry.has(KEV_NOTICE_CLOCK_SET)) return;
    entry.bits |= KEV_CLOCK_SET;
    publish(queue, entry);
  });
}

}  // namespace kev::queue
