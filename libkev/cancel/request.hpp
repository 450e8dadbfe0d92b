// Requests in progress: how a canceller and its target meet.
//
// A canceller must not touch the target's memory once libc has marked the thread (a detached one may be gone), but must
// signal it if it waits in a stub, and only then. So while it is at work it stands in a table of the process, and its
// target, which sees that its `requests` moved, waits for it to be done:
//
//   canceller                                       target
//   1  slot := target                               a  inside := frame
//   2  requests += 1                                b  requests != seen?  -> settle(): wait for the slot; the mark
//   3  every thread passes a barrier                c  the system call
//   4  read inside, disabled          d  inside := 0
//   5  libc's pthread_cancel: the mark              e  requests != 0?     -> settle(): wait for the slot, take delivery
//   6  inside and enabled: a signal
//   7  slot := free
//
// - 4 reads inside = 0: `a` comes after 3, so `b` sees 2, waits for 7, and finds the mark. No signal is sent.
// - 4 reads inside != 0: `d` has not happened, or `e` sees 2: the target stays in the stub until 7, so the signal of 6
//   arrives inside it: before `c` or in it (the handler redirects it), or after it (nothing is done to the result).
//   A thread that is not in a stub, or has cancellation disabled, is never interrupted.
// - Without membarrier(2) (a seccomp filter, an old kernel) 3 is a pause, much longer than a processor keeps a store to
//   itself.
// - A thread that the signal itself sent to look has nothing to wait for: `arrived` says so.
// - The wait is bounded: a fork may have copied a slot whose canceller is not in the child, and a canceller may wait for
//   the loader's lock that the target holds. A target that gives up, and has cancellation enabled, says so in the slot,
//   and the canceller then signals it at 6 whatever it read at 4.
#pragma once

#include <cstdint>
#include <pthread.h>

#include "cancel/record.hpp"

namespace kev::cancel {

// The calling thread's requests so far, after every canceller that was at work on it is done and every signal that was
// sent to it has arrived. Async-signal-safe; no cancellation point.
uint32_t settle();

// A canceller at work. Claimed before the target is touched.
class Slot {
 public:
  static Slot& claim(pthread_t target);
  // Whether the target no longer waits, and is to be signalled.
  bool was_given_up() const { return (word_.load(std::memory_order_acquire) & kGivenUp) != 0; }
  // Returns was_given_up() as of the last moment.
  bool release();

  // In a forked child: none of the parent's other threads is here.
  static void forget_all();

 private:
  friend uint32_t settle();
  static constexpr uintptr_t kGivenUp = 1;
  void wait_until_done(uintptr_t me);

  std::atomic<uintptr_t> word_{0};  // 0, or the target's pthread_t, which is even
};

}  // namespace kev::cancel
