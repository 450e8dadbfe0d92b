// pthread_cancel() and the functions by which a thread says whether it may be cancelled.
#pragma once

#include <pthread.h>

namespace kev::cancel {

// Marks `thread` by libc's own function, and wakes it if it waits in a stub with cancellation enabled. Returns what
// libc's returns, or the errno with which the signal cannot be sent (the mark stays). Like pthread_cancel(): not a
// cancellation point unless the thread cancels itself with the asynchronous type; async-cancel-safe. POSIX
// pthread_cancel().
int cancel(pthread_t thread);

// The calling thread changes its state: before libc's function is called, and when it has returned without error. In
// between a handler may run, for which the thread is disabled only if it is for libc.
void state_changes(int state);
void state_changed(int state);

// The process is about to have threads: what is cheap now, and not later.
void before_first_thread();

// A seccomp filter is about to be installed: what will not be possible then.
void before_filter();

// In a child of fork: its one thread goes on as it was.
void after_fork();

}  // namespace kev::cancel
