// All mirrors of the process: giving them up, forking, threads that end.
#pragma once

namespace kev::record {

// Arranges for `function(argument)` to run when the calling thread ends; false if that cannot be had. Set by whoever
// links the core (the preload object asks libc's pthread keys); without it a thread's mirrors stay until exit.
using ThreadExit = bool (*)(void (*function)(void*), void* argument);
extern ThreadExit at_thread_exit;

// Makes the process-wide state, as far as it is needed before the first mirror. False: no mirrors in this process.
// System calls: mmap, madvise.
bool start();

// Whether start() succeeded, in this process or the one that it was forked from.
bool is_started();

// Gives back every mirror and private descriptor that no thread is using, and asks the others; waits for them for
// at most about 20 ms. Async-signal-safe; not from a child of vfork.
void revoke_all();

// revoke_all(), and no mirror is made again for a second: the program met its descriptor limit.
void revoke_for_a_while();
bool is_paused();

// revoke_all(), for good: from now on only the program's own calls are made (a seccomp filter comes).
void stop();
bool is_stopped();

// In a forked child, before anything else: drops what was inherited, and closes the private descriptors that are still
// ours there.
void after_fork();

// after_fork() if this process is a child that has not done it yet.
void check_generation();

// The eventfd, readable for ever, that wakes engines; made at the first call. -1 if there is none.
int wake_descriptor();

}  // namespace kev::record
