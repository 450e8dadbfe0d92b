// System calls that go past every preloaded object: what the kernel itself says, and code that is nobody else's.
#pragma once

#include <poll.h>
#include <sys/syscall.h>
#include <time.h>

namespace scenario {

inline long raw_call(long number, long a, long b = 0, long c = 0, long d = 0, long e = 0) {
  long result;
  register long fourth __asm__("r10") = d;
  register long fifth __asm__("r8") = e;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth)
                   : "rcx", "r11", "memory");
  return result;
}

// The result, or -errno. Does not wait.
inline long raw_poll(pollfd* fds, unsigned long count) {
  timespec zero = {0, 0};
  return raw_call(SYS_ppoll, reinterpret_cast<long>(fds), static_cast<long>(count), reinterpret_cast<long>(&zero), 0,
                  8);
}

inline void raw_pause(long us) {
  timespec time = {us / 1'000'000, us % 1'000'000 * 1000};
  raw_call(SYS_nanosleep, reinterpret_cast<long>(&time));
}

}  // namespace scenario
