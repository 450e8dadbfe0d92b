// Small calls about the calling thread: a value, or -errno. Async-signal-safe, no cancellation points.
#pragma once

#include <arch_syscall.hpp>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <linux/membarrier.h>
#include <sys/resource.h>
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

// Masks are the kernel's: one word. `before` is set to the mask that was.
inline int block_signals(unsigned long signals, unsigned long& before) {
  return static_cast<int>(arch::syscall(SYS_rt_sigprocmask, SIG_BLOCK, reinterpret_cast<long>(&signals),
                                        reinterpret_cast<long>(&before), sizeof signals));
}
inline int set_signal_mask(unsigned long signals) {
  return static_cast<int>(
      arch::syscall(SYS_rt_sigprocmask, SIG_SETMASK, reinterpret_cast<long>(&signals), 0, sizeof signals));
}

// Whether 8 bytes at `address` can be read: the kernel looks at them, and refuses what it is asked for.
inline bool is_readable(const void* address) {
  constexpr int kNoSuchWay = -1;
  return arch::syscall(SYS_rt_sigprocmask, kNoSuchWay, reinterpret_cast<long>(address), 0, sizeof(unsigned long)) !=
         -EFAULT;
}

inline void yield() { arch::syscall(SYS_sched_yield); }

// Comes back: on the way, signals that are pending are delivered.
inline void enter_kernel() { arch::syscall(SYS_getppid); }

// Whether every other thread of the process has passed a barrier since. The first call takes an RCU grace period (about
// 10 ms) if there are other threads; kernel 4.14.
inline bool register_barrier() {
  return arch::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0) == 0;
}
inline bool barrier_in_all_threads() { return arch::syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0) == 0; }

// How often the calling thread has lost its processor without giving it up.
inline long involuntary_switches() {
  rusage usage = {};
  arch::syscall(SYS_getrusage, RUSAGE_THREAD, reinterpret_cast<long>(&usage));
  return usage.ru_nivcsw;
}

inline int thread_id() { return static_cast<int>(arch::syscall(SYS_gettid)); }
inline int signal_thread(unsigned process, int thread, int signal) {
  return static_cast<int>(arch::syscall(SYS_tgkill, static_cast<long>(process), thread, signal));
}

// A signal with a value (SI_QUEUE) to a thread of this process.
inline int queue_to_thread(unsigned process, int thread, int signal, void* value) {
  siginfo_t info = {};
  info.si_signo = signal;
  info.si_code = SI_QUEUE;
  info.si_pid = static_cast<int>(process);
  info.si_value.sival_ptr = value;
  return static_cast<int>(arch::syscall(SYS_rt_tgsigqueueinfo, static_cast<long>(process), thread, signal,
                                        reinterpret_cast<long>(&info)));
}

inline int eventfd(unsigned value, int flags) { return static_cast<int>(arch::syscall(SYS_eventfd2, value, flags)); }

}  // namespace kev::os
