// The system-call instruction on x86_64.
//
// Lives here: how a number and six words reach the kernel. Returns the kernel's word: a value, or -errno.
// Never touches errno. Any context.
#pragma once

#include <elf.h>

namespace kev::arch {

// The machine of executables that this object can be loaded into.
inline constexpr int kElfMachine = EM_X86_64;

inline long syscall(long nr, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

// The address of the caller's frame, for telling an older frame from a newer one.
[[gnu::always_inline]] inline unsigned long stack_pointer() {
  unsigned long sp;
  __asm__ volatile("mov %%rsp, %0" : "=r"(sp));
  return sp;
}

// Lets the other hardware thread run for a moment.
inline void relax() { __asm__ volatile("pause"); }

}  // namespace kev::arch
