// Whether this process may have rings, and a bell in one that is made for it.
#pragma once

#include <atomic>
#include <cerrno>

#include "bell/ring.hpp"

namespace kev::bell {

// The errno for which there are none, as the first attempt has shown; 0 as long as there are. Set from the start where
// rings are not wanted.
inline constinit std::atomic<int> refusal{0};

inline bool is_refused() { return refusal.load(std::memory_order_relaxed) != 0; }

// Ring::arm() in a ring that may not have been opened yet. Only what the system says of all rings counts for good: no
// io_uring, a sysctl or a security module, a kernel before 6.1. Too little memory passes.
inline int arm_in(Ring& ring, int fd) {
  if (!ring.is_open()) {
    int error = ring.open();
    if (error == -ENOSYS || error == -EPERM || error == -EACCES || error == -EINVAL)
      refusal.store(-error, std::memory_order_relaxed);
    if (error < 0) return error;
  }
  return ring.arm(fd);
}

}  // namespace kev::bell
