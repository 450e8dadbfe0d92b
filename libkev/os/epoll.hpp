// epoll's system calls: a value, or -errno. Not cancellation points. Async-signal-safe.
#pragma once

#include <arch_syscall.hpp>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include "os/entries.hpp"

namespace kev::os {

inline int epoll_create1(int flags) { return static_cast<int>(arch::syscall(SYS_epoll_create1, flags)); }

inline int epoll_ctl(int epfd, int op, int fd, epoll_event* event) {
  ++kernel_entries;
  return static_cast<int>(arch::syscall(SYS_epoll_ctl, epfd, op, fd, reinterpret_cast<long>(event)));
}

// Takes what is ready and does not sleep.
inline int epoll_harvest(int epfd, epoll_event* events, int max) {
  ++kernel_entries;
  return static_cast<int>(
      arch::syscall(SYS_epoll_pwait, epfd, reinterpret_cast<long>(events), max, /*timeout*/ 0, /*mask*/ 0, /*size*/ 8));
}

// Sleeps until something is ready, and takes it. `timeout` null: for ever. Where the kernel is older than the call
// (5.11), to the next millisecond.
inline int epoll_sleep(int epfd, epoll_event* events, int max, const timespec* timeout, const sigset_t* mask) {
  constexpr long kSigsetBytes = 8, kPwait2 = 441;  // on every architecture; newer than some systems' headers
  int result = static_cast<int>(arch::syscall(kPwait2, epfd, reinterpret_cast<long>(events), max,
                                              reinterpret_cast<long>(timeout), reinterpret_cast<long>(mask),
                                              kSigsetBytes));
  if (result != -ENOSYS) return result;
  long ms = timeout == nullptr ? -1 : timeout->tv_sec * 1000 + (timeout->tv_nsec + 999'999) / 1'000'000;
  if (ms > 1'000'000'000) ms = 1'000'000'000;
  return static_cast<int>(arch::syscall(SYS_epoll_pwait, epfd, reinterpret_cast<long>(events), max, ms,
                                        reinterpret_cast<long>(mask), kSigsetBytes));
}

}  // namespace kev::os
