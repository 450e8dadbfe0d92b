// The queue's descriptors in the kernel: what is watched, and what is slept on.
//
// A seam: this is all that the queue asks of an engine. Today's is the kernel's epoll.
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

namespace kev::queue {

// Tokens of what is no registration: index kNone, and one of these as generation.
enum class Internal : uint32_t { bell = 1, alarm, clock_notice, signals, watched };
inline uint64_t token_of(Internal what) { return Reference{kNone, static_cast<uint32_t>(what)}.token(); }

class Watcher {
 public:
  static constexpr int kBatch = 64;

  // Makes the sets and the bell. 0 or -errno.
  int open(bool single);
  void close();

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

  // What stands now, up to `max` (at most kBatch).
  int harvest(epoll_event* events, int max);

  // Sleeps, as a cancellation point, until something is ready, the timeout (null: never) or -EINTR. With `takes`, which
  // KEV_Q_SINGLE allows, `events` are what harvest() gives, else one that tells the bell from the watched set. Should
  // the thread be cancelled, `cancelled(context, events, count)` is called first, with what was taken.
  int sleep(bool takes, epoll_event* events, int max, const timespec* timeout, const sigset_t* mask,
            void (*cancelled)(void* context, const epoll_event* events, int count), void* context);

 private:
  int control(int operation, int fd, uint32_t bits, uint64_t token);

  int watched_ = -1, sleep_ = -1, bell_ = -1;
  bool single_ = false;
  bool has_armed_ = false;
};

}  // namespace kev::queue
