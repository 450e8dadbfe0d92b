// A signal mask without the C library's own two signals.
//
// A mask made by memset() holds them, libc's sigfillset() does not. A call that waits with them blocked cannot be told that
// its thread is cancelled.
#pragma once

#include <arch_syscall.hpp>
#include <csignal>

#include "wait/signal_gate.hpp"

namespace kev::preload {

class MaskCopy {
 public:
  // `mask`, or a copy in this object. Only a mask in the frames above is looked at: where others point is for the kernel to
  // judge (EFAULT).
  const sigset_t* without_libcs(const sigset_t* mask) {
    constexpr unsigned long kLibcs = wait::signal_bit(32) | wait::signal_bit(33);
    if (mask == nullptr || !is_near(mask)) return mask;
    unsigned long word = *reinterpret_cast<const unsigned long*>(mask);
    if ((word & kLibcs) == 0) return mask;
    word_ = word & ~kLibcs;
    return reinterpret_cast<const sigset_t*>(&word_);
  }

 private:
  static bool is_near(const void* address) {
    constexpr unsigned long kFrames = 65536;
    return reinterpret_cast<unsigned long>(address) - arch::stack_pointer() < kFrames;
  }

  unsigned long word_;
};

}  // namespace kev::preload
