// System calls made by the instruction itself, past every function of libc: how a program closes a descriptor that no
// library sees closed, and what the kernel says when nobody stands between.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>

namespace conformance {

inline long raw_call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
#if defined(__x86_64__)
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
#else
#error "no system-call instruction known for this processor"
#endif
}

inline long address_of(const void* pointer) { return reinterpret_cast<long>(pointer); }

inline long raw_close(int fd) { return raw_call(SYS_close, fd); }
inline long raw_dup3(int from, int to) { return raw_call(SYS_dup3, from, to, 0); }

// poll and select with no time to wait.
inline int raw_poll(pollfd* fds, nfds_t count) {
  timespec zero{};
  return static_cast<int>(raw_call(SYS_ppoll, address_of(fds), static_cast<long>(count), address_of(&zero)));
}

inline int raw_select(int nfds, void* readable, void* writable, void* exceptional) {
  timespec zero{};
  return static_cast<int>(raw_call(SYS_pselect6, nfds, address_of(readable), address_of(writable),
                                   address_of(exceptional), address_of(&zero)));
}

}  // namespace conformance
