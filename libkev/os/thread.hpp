// Small calls about the calling thread: a value, or -errno. Async-signal-safe, no cancellation points.
#pragma once

#include <arch_syscall.hpp>
#include <csignal>
#include <ctime>
#include <sys/syscall.h>

namespace kev::os {

// Where handlers run now.
inline int sigaltstack(stack_t* current) {
  return static_cast<int>(arch::syscall(SYS_sigaltstack, 0, reinterpret_cast<long>(current)));
}

// Sleeps; a signal ends it early.
inline void pause_ns(long ns) {
  timespec time = {0, ns};
  arch::syscall(SYS_nanosleep, reinterpret_cast<long>(&time), 0);
}

inline int eventfd(unsigned value, int flags) { return static_cast<int>(arch::syscall(SYS_eventfd2, value, flags)); }

}  // namespace kev::os
