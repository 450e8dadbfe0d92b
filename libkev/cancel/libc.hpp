// The C library's side of cancellation: it owns the state, unwinds the stack and runs the clean-up handlers.
//
// Whoever sets the core up fills these in, and again when the functions appear later (libpthread before glibc 2.34,
// loaded by a plug-in). Null: there are no threads to cancel.
#pragma once

#include <ctime>
#include <pthread.h>

#include "process/vfork.hpp"

namespace kev::cancel {

struct Libc {
  int (*cancel)(pthread_t);
  void (*testcancel)();
  int (*setcancelstate)(int, int*);
  int (*setcanceltype)(int, int*);
  int (*getcpuclockid)(pthread_t, clockid_t*);
  void (*register_cancel)(__pthread_unwind_buf_t*);
  void (*unregister_cancel)(__pthread_unwind_buf_t*);
  void (*unwind_next)(__pthread_unwind_buf_t*);
};
extern Libc libc;

// Acts on a pending request, unless cancellation is disabled. Cancellation point, and nothing else. A child of vfork is
// no thread of its own: its parent's request is not for it.
inline void check() {
  if (libc.testcancel != nullptr && !process::in_vfork_child()) libc.testcancel();
}

// The kernel's number of `thread`, which stands in the clock that is its own; 0 if it has ended. No system call.
inline int thread_number(pthread_t thread) {
  clockid_t clock;
  if (libc.getcpuclockid == nullptr || libc.getcpuclockid(thread, &clock) != 0) return 0;
  return static_cast<int>(~(clock >> 3));
}

}  // namespace kev::cancel
