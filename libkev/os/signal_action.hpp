// The kernel's own signal action, for the two signals that the C library keeps to itself. 0 or -errno.
// Async-signal-safe.
#pragma once

#include <arch_syscall.hpp>
#include <csignal>
#include <sys/syscall.h>

namespace kev::os {

// As in the kernel's uapi on x86_64 and arm64.
struct SignalAction {
  void (*handler)(int, siginfo_t*, void*);
  unsigned long flags;
  void (*restorer)();
  unsigned long mask;
};

// Either may be null.
inline int signal_action(int signal, const SignalAction* action, SignalAction* before) {
  return static_cast<int>(arch::syscall(SYS_rt_sigaction, signal, reinterpret_cast<long>(action),
                                        reinterpret_cast<long>(before), sizeof(unsigned long)));
}

}  // namespace kev::os
