// poll's and select's system calls: a value, or -errno. Not cancellation points (cancel/sleep.hpp has those).
// Async-signal-safe.
#pragma once

#include <arch_syscall.hpp>
#include <csignal>
#include <ctime>
#include <poll.h>
#include <sys/select.h>
#include <sys/syscall.h>

#include "os/entries.hpp"

namespace kev::os {

inline constexpr long kSigsetBytes = 8;  // the kernel's sigset_t

// `timeout` is written by the kernel: the time that remained. Null: for ever.
inline int ppoll(pollfd* fds, nfds_t count, timespec* timeout, const sigset_t* mask) {
  ++kernel_entries;
  return static_cast<int>(arch::syscall(SYS_ppoll, reinterpret_cast<long>(fds), static_cast<long>(count),
                                        reinterpret_cast<long>(timeout), reinterpret_cast<long>(mask), kSigsetBytes));
}

// pselect6's last argument.
struct SelectMask {
  const sigset_t* mask;
  long bytes;
};

inline int pselect(int count, fd_set* in, fd_set* out, fd_set* except, timespec* timeout, const sigset_t* mask) {
  ++kernel_entries;
  SelectMask with_size = {mask, kSigsetBytes};
  return static_cast<int>(arch::syscall(SYS_pselect6, count, reinterpret_cast<long>(in), reinterpret_cast<long>(out),
                                        reinterpret_cast<long>(except), reinterpret_cast<long>(timeout),
                                        reinterpret_cast<long>(&with_size)));
}

// What is ready now, without sleeping. `mask` (may be null) is looked at as ppoll() does.
inline int poll_now(pollfd* fds, nfds_t count, const sigset_t* mask = nullptr) {
  timespec zero = {0, 0};
  return ppoll(fds, count, &zero, mask);
}

}  // namespace kev::os
