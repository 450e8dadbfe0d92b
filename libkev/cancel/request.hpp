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
//   6  inside and enabled: say so, and signal
//   7  slot := free
//
// - 4 reads inside = 0: `a` comes after 3, so `b` sees 2, waits for 7, and finds the mark. No signal is sent.
// - 4 reads inside != 0: `d` has not happened, or `e` sees 2: the target stays in the stub until 7, so the signal of 6
//   arrives inside it: before `c` or in it (the handler redirects it), or after it (nothing is done to the result).
//   A thread that is not in a stub, or has cancellation disabled, is never interrupted.
// - Without membarrier(2) (a seccomp filter, an old kernel) 3 is a pause, much longer than a processor keeps a store to
//   itself.
// - A thread that the signal itself sent to look has nothing to wait for: `arrived` says so. It has one signal only, since one
//   canceller only signals it (`told`). To wait for 7 all the same would keep the canceller, which the signal may have
//   driven from the processor, from going on: 15 us more, 13 ms under a filter, where the wait can only spin.
// - The wait is bounded: a fork may have copied a slot whose canceller is not in the child, and a canceller may wait for
//   the loader's lock that the target holds. A target that gives up says so in the slot, and is then signalled at 6
//   whatever was read at 4.
// - What was read at 4, and what was said, holds as long as the target has cancellation enabled. A target that disables
//   it says that, too: at 6 there is no signal then. One that enables it again takes that back, and looks again: the
//   mark may have come in between. Where 6 comes first the target waits for 7 and takes delivery, before it goes on with
//   cancellation disabled.
//
// docs/models/window.pml runs through the interleavings.
#pragma once

#include <cstdint>
#include <pthread.h>

#include "cancel/record.hpp"

namespace kev::cancel {

// The calling thread's requests so far, after every canceller that was at work on it is done and every signal that was
// sent to it has arrived. Async-signal-safe; no cancellation point.
uint32_t settle();

// How often a target looks before it gives up: for about 2 s. Less in a test.
extern int patience;

// A canceller at work. Claimed before the target is touched.
class Slot {
 public:
  static Slot& claim(pthread_t target);
  // Step 6. Whether to signal the target, by what it has said and by what was read at 4. If so it waits for release();
  // if not, the slot is free.
  bool must_signal(bool waits);
  // Whether the target no longer waits in the stub, and may be gone. After must_signal().
  bool was_given_up() const { return (word_.load(std::memory_order_relaxed) & kGivenUp) != 0; }
  void release();

  // The calling thread has disabled cancellation: whoever is at work on it does not signal it from here on. Waits for
  // one that is just about to.
  static void hold();
  // It has enabled cancellation, or is about to.
  static void let_go();
  // Whether one that the calling thread has given up is still to signal it.
  static bool signal_will_come();

  // In a forked child: none of the parent's other threads is here.
  static void forget_all();

 private:
  friend uint32_t settle();
  static constexpr uintptr_t kGivenUp = 1;     // the target's word: it does not wait
  static constexpr uintptr_t kHeld = 2;        // the target's word: it is not to be signalled
  static constexpr uintptr_t kSignalling = 4;  // the canceller's: the target's words come too late
  static constexpr uintptr_t kSaid = kGivenUp | kHeld | kSignalling;
  template <typename Visit>
  static void for_each_on(uintptr_t me, Visit visit);
  bool is_on(uintptr_t me) const { return (word_.load(std::memory_order_acquire) & ~kSaid) == me; }
  void wait_until_done(uintptr_t me);

  std::atomic<uintptr_t> word_{0};  // 0, or the target's pthread_t, of which the lowest bits are free, and what was said
};

}  // namespace kev::cancel
