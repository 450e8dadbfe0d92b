// epoll's system calls: a value, or -errno. Not cancellation points. Async-signal-safe.
#pragma once

#include <arch_syscall.hpp>
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

}  // namespace kev::os
