// The system-call instruction on aarch64.
//
// Lives here: how a number and six words reach the kernel. Returns the kernel's word: a value, or -errno.
// Never touches errno. Any context.
#pragma once

#include <elf.h>

namespace kev::arch {

// The machine of executables that this object can be loaded into.
inline constexpr int kElfMachine = EM_AARCH64;

inline long syscall(long nr, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
  register long x8 __asm__("x8") = nr;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
}

// The address of the caller's frame, for telling an older frame from a newer one.
[[gnu::always_inline]] inline unsigned long stack_pointer() {
  unsigned long sp;
  __asm__ volatile("mov %0, sp" : "=r"(sp));
  return sp;
}

// Lets the other hardware thread run for a moment.
inline void relax() { __asm__ volatile("yield"); }

}  // namespace kev::arch
