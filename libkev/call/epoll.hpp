// epoll_wait() with a doorbell: what preload/ asks around the program's own call.
#pragma once

#include <sys/epoll.h>

#include "bell/silence.hpp"
#include "wait/deadline.hpp"

namespace kev::call {

// Whether epoll_wait(epfd, events, max, 0) finds nothing, so that the program's own call need not be made. Looks in
// memory, and may ask the kernel if the set has a bell. Precondition: record::start() succeeded. Async-signal-safe; no
// cancellation point: false if there may be a request.
bool epoll_finds_nothing(int epfd, const void* events, int max);

// Watches the bell of `epfd`, if it has one, and then sleeps in the program's own call: as epoll_pwait2(2) without a mask,
// a count or -errno. Signals are blocked meanwhile and let in by the sleep: a handler that ran before would not end it.
// Cancellation point.
int epoll_spin_and_wait(int epfd, epoll_event* events, int max, const wait::Deadline& deadline);

// After the program's own call, with its result (a count, or -1), if bell::is_worth_learning().
void epoll_learn(int epfd, const void* events, int max, int result);

// The program has closed the numbers from `first` to `last`: no bell of this thread holds one of them when this returns.
void epoll_sets_went(unsigned first, unsigned last);

// epoll_ctl(EPOLL_CTL_ADD) of `fd` has succeeded. If it is a set that has a bell it has none any more, and gets none.
void epoll_stands_in_a_set(int fd);
// A call that makes epoll sets has returned `fd`.
void epoll_was_made(int fd);

}  // namespace kev::call
