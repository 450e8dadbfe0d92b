// The places where the core sleeps: the program's own ppoll() and pselect(), as cancellation points.
//
// A thread that is cancelled here has taken nothing: these calls report readiness and consume none. They are made
// by libc's own functions, so that cancellation is exactly what the program's libc does; whoever links the core
// into an object that interposes them sets `next` to the definitions behind.
#pragma once

#include <csignal>
#include <ctime>
#include <poll.h>
#include <sys/select.h>

#include "wait/deadline.hpp"

namespace kev::cancel {

// libc's definitions. Null: the bare system call, which is not a cancellation point (check(): nothing is done).
struct Next {
  int (*ppoll)(pollfd*, nfds_t, const timespec*, const sigset_t*);
  int (*pselect)(int, fd_set*, fd_set*, fd_set*, const timespec*, const sigset_t*);
  void (*testcancel)();
};
extern Next next;

// Acts on a cancellation request that is pending. Cancellation point, and nothing else.
inline void check() {
  if (next.testcancel != nullptr) next.testcancel();
}

// Sleeps until one of `fds` is ready, a handler ran (-EINTR) or the deadline passed (0). errno is left as it
// was. Cancellation point.
int sleep(pollfd* fds, nfds_t count, const wait::Deadline& deadline, const sigset_t* mask);

// The same for select's sets.
int sleep(int count, fd_set* in, fd_set* out, fd_set* except, const wait::Deadline& deadline, const sigset_t* mask);

}  // namespace kev::cancel
