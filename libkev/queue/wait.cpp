// The order of a wait's steps; docs/queue.md has the reasons.
//
// No event is taken before a sleep: a wait that needs more than there are leaves them in the ring. So it can be
// cancelled asleep with nothing in its hands; what the sleep itself took (KEV_Q_SINGLE) goes into the ring.
#include "queue/wait.hpp"

#include <cerrno>
#include <pthread.h>

namespace kev::queue {

namespace {

constexpr uint32_t kLookEvery = 256;  // waits that the ring serves, for one look at the kernel
constexpr uint32_t kProbeEvery = 16;  // sleeps, for one look before

// Whoever is left to be woken.
void pass_on(Queue& queue) {
  if (queue.bell.sleepers() == 0) return;
  if (stands(queue) || queue.more.load(std::memory_order_relaxed) || queue.bell.is_requested() || is_shut(queue))
    queue.bell.notify();
}

// The thread is cancelled in its sleep: what it has taken, the wake-up too, goes to others.
void give_back(void* context, const epoll_event* events, int count) {
  auto& queue = *static_cast<Queue*>(context);
  {
    Locked locked(queue.lock);
    bool rang = false;
    for (int i = 0; i < count; ++i) rang |= events[i].data.u64 == token_of(Internal::bell);
    queue.bell.woken(rang);
    queue.more.store(true, std::memory_order_relaxed);
    if (queue.watcher.is_single()) process(queue, events, count, nullptr, 0);
    settle_outside(queue);
  }
  // Also if nothing stands: it may have been told of something that is still the kernel's.
  queue.bell.notify();
}

class Waiter {
 public:
  Waiter(Queue& queue, const Wait& wait) : queue_(queue), wait_(wait) {}

  int run() {
    uint32_t clock_sets = queue_.clock_sets.load(std::memory_order_relaxed);
    bool look = false;
    for (;;) {
      if (is_shut(queue_)) {
        queue_.bell.notify();
        return -ESHUTDOWN;
      }
      bool at_once = wait_.min == 0 || wait_.deadline.passed();
      int result = step(look, at_once);
      if (result != kNothing) return result;
      if (at_once) return 0;
      if (queue_.bell.take_request()) return last_look();
      if (queue_.clock_sets.load(std::memory_order_relaxed) != clock_sets) {
        // Others may have to know as well.
        clock_sets = queue_.clock_sets.load(std::memory_order_relaxed);
        queue_.bell.notify();
        if (wait_.end_on_clock_set) return -ECANCELED;
      }
      result = sleep();
      if (result == -EINTR) return interrupted();
      if (result < 0) return result;
      look = true;
    }
  }

 private:
  static constexpr int kNothing = -10'000;
  using Events = epoll_event[Watcher::kBatch];

  unsigned capacity() const { return queue_.ring.capacity(); }
  // What is needed to return.
  unsigned enough() const {
    unsigned most = wait_.max < capacity() ? wait_.max : capacity();
    return wait_.min < most ? (wait_.min == 0 ? 1 : wait_.min) : most;
  }

  // With the lock: takes if there is enough, or whatever there is if `anything`. kNothing: there was not.
  int take_now(bool anything) {
    if (wait_.out == nullptr) {
      sweep(queue_);
      if (count_ready(queue_, 1) != 0 || queue_.ring.tail() != wait_.seen) return 1;
      return kNothing;
    }
    // What finds no room will not come while the ring is not emptied.
    anything |= queue_.pending_first.load(std::memory_order_relaxed) != kNone;
    if (!anything && enough() > 1 && count_ready(queue_, enough(), &looked_at_) < enough()) return kNothing;
    unsigned count = take(queue_, wait_.out, wait_.max);
    return count == 0 ? kNothing : static_cast<int>(count);
  }

  bool must_look(bool look, bool at_once) const {
    // Posts and timers alone: the kernel has nothing.
    if (!look && !queue_.watcher.has_armed()) return false;
    if (at_once || look || queue_.more.load(std::memory_order_relaxed)) return true;
    if (queue_.watcher.uses_ring()) return queue_.watcher.has_news() || queue_.level_out;
    if (queue_.watcher.is_single()) return queue_.probe_pays;
    return queue_.level_out;
  }

  // Looks at the ring, and at the kernel if it must.
  int step(bool look, bool at_once) {
    int result;
    bool all;
    {
      Locked locked(queue_.lock);
      settle_ring(queue_, true);
      collect(queue_);
      result = take_now(at_once);
      bool is_due = ++queue_.unlooked >= kLookEvery && queue_.watcher.has_armed();
      if (result == kNothing ? must_look(look, at_once) : is_due) {
        // Straight into the caller's hands, if one event is enough for him.
        bool direct = wait_.out != nullptr && result == kNothing && enough() == 1;
        int handed = harvest(queue_, direct ? wait_.out : nullptr, direct ? wait_.max : 0);
        queue_.probe_pays = handed > 0 || (handed == 0 && stands(queue_));
        if (handed < 0) {
          result = handed;
        } else if (handed > 0) {
          result = handed;
          if (static_cast<unsigned>(handed) < wait_.max && stands(queue_))
            result += static_cast<int>(take(queue_, wait_.out + handed, wait_.max - static_cast<unsigned>(handed)));
        } else if (result == kNothing) {
          collect(queue_);
          result = take_now(at_once);
        }
      }
      all = leave();
    }
    finish(result, all);
    return result;
  }

  // Before the lock is given back.
  bool leave() {
    bool all = queue_.wake_all;
    queue_.wake_all = false;
    if (!queue_.watcher.is_single() && queue_.bell.sleepers() != 0 && timer_left(queue_) != INT64_MAX) {
      int64_t ignored = INT64_MAX;
      arm_for_sleep(queue_, ignored, false);
    }
    settle_outside(queue_);
    return all;
  }
  void finish(int result, bool all) {
    if (all) announce(queue_, true);
    if (result != kNothing) pass_on(queue_);
  }

  // Whatever there is, for a wait that ends with fewer than it wanted.
  int last_look() {
    int result;
    bool all;
    {
      Locked locked(queue_.lock);
      result = wait_.out == nullptr ? kNothing : take_now(true);
      all = leave();
    }
    finish(0, all);
    return result == kNothing ? 0 : result;
  }

  int interrupted() {
    if (is_shut(queue_)) return -ESHUTDOWN;
    int result = step(true, true);
    return result == kNothing ? -EINTR : result;
  }

  // 0, or -errno. With KEV_Q_SINGLE what comes goes into the ring.
  int sleep() {
    Events events;
    timespec time;
    int64_t timeout;
    int max = Watcher::kBatch;
    // A wait that needs several leaves them in the ring, and what is level-triggered among them would not let it sleep.
    using Where = Watcher::Where;
    Where where = queue_.watcher.is_single() && enough() == 1 ? Where::watched : Where::sleep_set;
    {
      Locked locked(queue_.lock);
      if (queue_.watcher.uses_ring()) where = Where::ring;
      if (where == Where::sleep_set) {
        int error = queue_.watcher.open_sleep_set();
        if (error < 0) return error;
      }
      timeout = wait_.deadline.left();
      bool alone = queue_.watcher.is_single() || queue_.bell.sleepers() == 0;
      // From here on it is seen by who makes a timer.
      queue_.bell.go_to_sleep();
      arm_for_sleep(queue_, timeout, alone && queue_.has_outside.load(std::memory_order_relaxed) == 0);
      ++queue_.sleeps;
      uint32_t ready = queue_.ring.ready(), room = ready < capacity() ? capacity() - ready : 1;
      // What is left with the kernel is newer when it is taken.
      if (wait_.out != nullptr && wait_.max < room) room = wait_.max;
      if (room < static_cast<uint32_t>(max)) max = static_cast<int>(room);
      if (++queue_.sleeps_in_turn % kProbeEvery == 0) queue_.probe_pays = true;
    }
    // What came since the ring was looked at.
    if (is_shut(queue_) || queue_.bell.is_requested() || came_since()) {
      queue_.bell.woken(false);
      return 0;
    }
    time = {timeout / wait::Deadline::kSecond, timeout % wait::Deadline::kSecond};
    const timespec* until = timeout == INT64_MAX ? nullptr : &time;
    int count = queue_.watcher.sleep(where, events, max, until, wait_.mask, give_back, &queue_);
    bool rang = false;
    for (int i = 0; i < count; ++i) rang |= events[i].data.u64 == token_of(Internal::bell);
    queue_.bell.woken(rang);
    if (count > 0 && where == Where::watched) {
      Locked locked(queue_.lock);
      ++queue_.kernel_waits;
      queue_.level_out = false;
      queue_.more.store(count == max, std::memory_order_relaxed);
      process(queue_, events, count, nullptr, 0);
    }
    return count < 0 ? count : 0;
  }

  // Something that this wait has not seen. A wait that needs several has seen those that are too few.
  bool came_since() const {
    if (wait_.out == nullptr) return stands(queue_) || queue_.ring.tail() != wait_.seen;
    if (enough() == 1) return stands(queue_);
    return queue_.ring.ready() != looked_at_ || queue_.posted.load(std::memory_order_seq_cst) != kNone;
  }

  Queue& queue_;
  const Wait& wait_;
  uint32_t looked_at_ = 0;  // in the ring, by a wait that needs several
};

}  // namespace

unsigned take_quickly(Queue& queue, kev_event* out, unsigned min, unsigned max) {
  if (min > 1 || is_shut(queue)) return 0;
  queue.lock.lock();
  bool is_plain = !needs_collecting(queue) && queue.returned.load(std::memory_order_relaxed) == 0 &&
                  queue.has_outside.load(std::memory_order_relaxed) == 0 && queue.bell.sleepers() == 0;
  unsigned count = 0;
  if (is_plain && (!queue.watcher.has_armed() || ++queue.unlooked < kLookEvery)) count = take(queue, out, max);
  queue.lock.unlock();
  // Who goes to sleep while this one takes has looked at the ring after it said so.
  if (count != 0) pass_on(queue);
  return count;
}

int wait_on(Queue& queue, const Wait& wait) {
  return Waiter(queue, wait).run();
}

}  // namespace kev::queue
