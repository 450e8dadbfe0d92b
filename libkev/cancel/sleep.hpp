// The places where the core sleeps: ppoll() and pselect() as cancellation points.
//
// A thread that is cancelled here has taken nothing: these calls report readiness and consume none.
#pragma once

#include <csignal>
#include <ctime>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "cancel/libc.hpp"
#include "cancel/stub.hpp"
#include "wait/deadline.hpp"

namespace kev::cancel {

// What stands in for the sleeps in a test. Null: the system calls.
struct StandIn {
  int (*ppoll)(pollfd*, nfds_t, const timespec*, const sigset_t*);
  int (*pselect)(int, fd_set*, fd_set*, fd_set*, const timespec*, const sigset_t*);
};
extern StandIn stand_in;

// Sleeps until one of `fds` is ready, a handler ran (-EINTR) or the deadline passed (0). errno is left as it was. Never
// acts on a request itself, since the caller holds a record: returns kCancelled if there is one that was not looked at
// yet. `seen` is what settle() returned when it was.
int sleep(pollfd* fds, nfds_t count, const wait::Deadline& deadline, const sigset_t* mask, unsigned seen = 0);

// The same for select's sets.
int sleep(int count, fd_set* in, fd_set* out, fd_set* except, const wait::Deadline& deadline, const sigset_t* mask,
          unsigned seen = 0);

// epoll_pwait2() on a set of the program's, by the same rules: a count, 0, or -errno.
int sleep(int epfd, epoll_event* events, int max, const wait::Deadline& deadline, const sigset_t* mask, unsigned seen);

}  // namespace kev::cancel
