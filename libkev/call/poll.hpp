// poll() and select() by the core: what preload/ calls.
#pragma once

#include <csignal>
#include <poll.h>
#include <sys/select.h>

#include "call/wait_by_mirror.hpp"
#include "wait/deadline.hpp"

namespace kev::call {

// As ppoll(2), with a deadline: the number of ready entries, 0, -EINTR, or one that is not ours (is_ours()) without
// having done anything that the program could see. Precondition: start() succeeded, count >= tuning.minimum, the mask
// (may be null) is valid. Cancellation point. Async-signal-safe.
int poll(pollfd* fds, nfds_t count, const wait::Deadline& deadline, const sigset_t* mask);

// As pselect(2). Precondition: as poll(), for the number of descriptors in the sets.
int select(int nfds, fd_set* in, fd_set* out, fd_set* except, const wait::Deadline& deadline, const sigset_t* mask);

// The program's own call with this array, or these sets, failed: they may not be memory. They are not looked at
// again before the program's own call has succeeded with them.
void poll_failed(const pollfd* fds);
void select_failed(const fd_set* in, const fd_set* out, const fd_set* except);

// It succeeded, and the result was kNotOursTell: how much it found.
void poll_found(const pollfd* fds, int result);
void select_found(const fd_set* in, const fd_set* out, const fd_set* except, int result);

}  // namespace kev::call
