// io_uring's system calls, and the numbers that older headers lack: a value, or -errno. Not cancellation points.
// Async-signal-safe.
#pragma once

#include <arch_syscall.hpp>
#include <csignal>
#include <ctime>
#include <linux/io_uring.h>
#include <sys/syscall.h>

#include "os/entries.hpp"

namespace kev::os {

// Kernel 6.5: the rings stand in memory that is given, and there is no descriptor, only an index in the thread's list.
inline constexpr unsigned kUringNoMmap = 1u << 14;
inline constexpr unsigned kUringRegisteredFdOnly = 1u << 15;
// Kernel 6.3: io_uring_register() takes such an index, with this bit in its operation.
inline constexpr unsigned kUringUseRegisteredRing = 1u << 31;

// Sleeping is not booked as waiting for a disk: an offer among the ring's features, and its bit in a call's flags.
inline constexpr unsigned kUringHasNoIowait = 1u << 17;
inline constexpr unsigned kUringNoIowait = 1u << 7;

// Where the rings and the entries are to stand. The headers of 6.5 have a name for the last word of either struct.
inline void uring_place(io_uring_params& params, const void* rings, const void* entries) {
  auto put = [](auto& offsets, const void* address) {
    static_assert(sizeof offsets == 40);
    __builtin_memcpy(reinterpret_cast<char*>(&offsets) + 32, &address, sizeof address);
  };
  put(params.cq_off, rings);
  put(params.sq_off, entries);
}

inline int uring_setup(unsigned entries, io_uring_params& params) {
  return static_cast<int>(arch::syscall(SYS_io_uring_setup, entries, reinterpret_cast<long>(&params)));
}

// Submits the next `submit` entries, and runs what the thread has to do for its ring; of that, where there is much, no
// more than 20 pieces, or `least` if that is more. Sleeps while there are fewer than `least` untaken completions.
inline int uring_enter(int index, unsigned submit, unsigned least = 0) {
  ++kernel_entries;
  return static_cast<int>(arch::syscall(SYS_io_uring_enter, index, submit, least,
                                        IORING_ENTER_GETEVENTS | IORING_ENTER_REGISTERED_RING, 0, 0));
}

// Sleeps until there are `least` untaken completions; `timeout` null: for ever. -ETIME, -EINTR. Kernel 5.11.
inline int uring_sleep(int index, unsigned least, const timespec* timeout, const sigset_t* mask, unsigned flags) {
  __kernel_timespec time = {};
  if (timeout != nullptr) time = {timeout->tv_sec, timeout->tv_nsec};
  io_uring_getevents_arg argument = {};
  argument.sigmask = reinterpret_cast<uint64_t>(mask);
  argument.sigmask_sz = 8;
  argument.ts = timeout == nullptr ? 0 : reinterpret_cast<uint64_t>(&time);
  return static_cast<int>(arch::syscall(
      SYS_io_uring_enter, index, 0, least,
      IORING_ENTER_GETEVENTS | IORING_ENTER_REGISTERED_RING | IORING_ENTER_EXT_ARG | flags,
      reinterpret_cast<long>(&argument), sizeof argument));
}

inline int uring_register(int ring, unsigned operation, const void* argument, unsigned count) {
  return static_cast<int>(
      arch::syscall(SYS_io_uring_register, ring, operation, reinterpret_cast<long>(argument), count));
}

}  // namespace kev::os
