// Passing a cancellation point, apart from what is done there.
#pragma once

#include "cancel/libc.hpp"
#include "cancel/record.hpp"

namespace kev::cancel {

// Acts on a pending request, as a cancellation point does on entry. In a handler that interrupted pthread_cancel() it
// is noted instead, and acted on there. No system call, unless the thread ends.
inline void pass_point() {
  if (self().cancels) self().passed_point = true;
  check();
}

}  // namespace kev::cancel
