// A signal mask without the C library's own two signals.
//
// A mask made by memset() holds them, libc's sigfillset() does not. A call that waits with them blocked cannot be told
// that its thread is cancelled.
#pragma once

#include <arch_syscall.hpp>
#include <csignal>

#include "wait/signal_gate.hpp"

namespace kev::preload {

// Whether a mask at `address` can be looked at: where it points is for the kernel to judge (EFAULT). One in the frames
// above can; of another the kernel is asked, once in a while.
bool is_readable_mask(const sigset_t* mask);

class MaskCopy {
 public:
  // `mask`, or a copy in this object.
  const sigset_t* without_libcs(const sigset_t* mask) {
    constexpr unsigned long kLibcs = wait::signal_bit(32) | wait::signal_bit(33);
    constexpr unsigned long kFrames = 65536;
    if (mask == nullptr) return mask;
    bool is_near = reinterpret_cast<unsigned long>(mask) - arch::stack_pointer() < kFrames;
    if (!is_near && !is_readable_mask(mask)) return mask;
    unsigned long word = *reinterpret_cast<const unsigned long*>(mask);
    if ((word & kLibcs) == 0) return mask;
    word_ = word & ~kLibcs;
    return reinterpret_cast<const sigset_t*>(&word_);
  }

 private:
  unsigned long word_;
};

}  // namespace kev::preload
