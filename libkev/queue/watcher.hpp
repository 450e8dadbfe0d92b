// The queue's descriptors in the kernel: what is watched, and what is slept on.
//
// A seam: this is all that the queue asks of an engine. It is the kernel's epoll; and a ring of io_uring beside it, if the
// queue has asked for one, which polls some of the descriptors, and the watched set for all that is not its own.
//
//   watched set   every descriptor of the queue's sources, each with a token
//   sleep set     the watched set and the bell, both edge-triggered: one event, or one ring, wakes one sleeper, who
//                 takes nothing by waking up. With KEV_Q_SINGLE there is none until a wait needs several events: the
//                 bell is watched, too, and the one sleeper takes the events with the same call.
//
// Threads: arm, change, disarm and harvest by the holder of the queue's lock; sleep by anybody without it.
#pragma once

#include <csignal>
#include <cstdint>
#include <ctime>
#include <sys/epoll.h>

#include "queue/entry.hpp"
#include "queue/poll_ring.hpp"

namespace kev::queue {

// Tokens of what is no registration: index kNone, and one of these as generation.
enum class Internal : uint32_t { bell = 1, alarm, clock_notice, signals, watched };
inline uint64_t token_of(Internal what) { return Reference{kNone, static_cast<uint32_t>(what)}.token(); }

class Watcher {
 public:
  static constexpr int kBatch = 64;

  // Makes the sets and the bell. 0 or -errno.
  int open(bool single);
  // `inherited`: in a child of fork.
  void close(bool inherited);

  int bell() const { return bell_; }
  int watched() const { return watched_; }
  bool is_single() const { return single_; }
  uint32_t descriptors() const { return sleep_ < 0 ? 2 : 3; }
  // Makes the sleep set if there is none. 0 or -errno.
  int open_sleep_set();

  // epoll_ctl's errors. `bits` as epoll's, EPOLLET and EPOLLONESHOT among them.
  int arm(int fd, uint32_t bits, uint64_t token) {
    has_armed_ = true;
    return control(EPOLL_CTL_ADD, fd, bits, token);
  }
  int change(int fd, uint32_t bits, uint64_t token) { return control(EPOLL_CTL_MOD, fd, bits, token); }
  int disarm(int fd) { return control(EPOLL_CTL_DEL, fd, 0, 0); }

  // Whether the kernel was ever asked to watch anything.
  bool has_armed() const { return has_armed_; }

  // What stands now, up to `max` (at most kBatch); some of it with PollRing::kEnded. `left`: of what the watched set
  // reported last, some may stand still (with a ring, it is not asked unless there is a reason).
  int harvest(epoll_event* events, int max, bool left);
  // How many of the last harvest the watched set has reported, and where they begin.
  int from_set() const { return from_set_; }
  int set_at() const { return set_at_; }

  // The calling thread's ring, and its poll of the watched set. 0 or -errno. Precondition: KEV_Q_SINGLE, no ring.
  int open_ring();
  // It is used no more; what it polls is the caller's to move. The owner's next close_ring() ends it.
  void stop_ring() { uses_ring_ = false; }
  // Ends a ring that is used no more, if it is the calling thread's.
  void close_ring() {
    if (ring_.is_open() && !uses_ring_ && ring_.is_mine()) close_mine();
  }
  // The calling thread ends, or (forgotten) is a child's first: what it has kept of rings goes.
  static void end_spare_ring(bool forgotten);
  bool uses_ring() const { return uses_ring_; }
  // For its owner alone; but what the ring brings is taken here.
  PollRing& ring() { return ring_; }
  int take_from_ring(epoll_event* events, int max);
  bool is_ring_mine() const { return ring_.is_open() && ring_.is_mine(); }
  // It is used, and was lost.
  bool has_lost_ring() const { return uses_ring_ && !ring_.is_open(); }
  // With a ring: whether a harvest, without anything `left`, would look for something that is known to be.
  bool has_news() const { return set_is_due_ || ring_.has_news(); }

  // On the watched set, which KEV_Q_SINGLE allows, `events` are what harvest() gives; on the sleep set one, that tells the
  // bell from the watched set; on the ring none.
  enum class Where { watched, sleep_set, ring };
  // Sleeps, as a cancellation point, until something is ready, the timeout (null: never) or -EINTR. Should
  // the thread be cancelled, `cancelled(context, events, count)` is called first, with what was taken.
  int sleep(Where where, epoll_event* events, int max, const timespec* timeout, const sigset_t* mask,
            void (*cancelled)(void* context, const epoll_event* events, int count), void* context);

 private:
  int control(int operation, int fd, uint32_t bits, uint64_t token);
  void close_mine();
  int harvest_both(epoll_event* events, int max, bool left);
  int ask_set(epoll_event* events, int max);

  int watched_ = -1, sleep_ = -1, bell_ = -1;
  bool single_ = false;
  bool has_armed_ = false;
  bool uses_ring_ = false;
  bool set_is_due_ = false;  // the watched set has told the ring of something, and was not asked since, or cut short
  bool set_waits_ = false;   // it was due, and there was no room left for it
  int from_set_ = 0, set_at_ = 0;
  PollRing ring_;
};

}  // namespace kev::queue
