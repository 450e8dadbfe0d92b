// Where a signal found its thread, on x86_64.
#pragma once

#include <ucontext.h>

extern "C" {
// The linker's.
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char etext[] __attribute__((visibility("hidden")));
}

namespace kev::arch {

inline unsigned long program_counter(const ucontext_t& context) {
  return static_cast<unsigned long>(context.uc_mcontext.gregs[REG_RIP]);
}
inline void set_program_counter(ucontext_t& context, unsigned long address) {
  context.uc_mcontext.gregs[REG_RIP] = static_cast<long long>(address);
}
inline unsigned long stack_pointer(const ucontext_t& context) {
  return static_cast<unsigned long>(context.uc_mcontext.gregs[REG_RSP]);
}

// Whether what stands at `frame` (readable) can be the stub's: its caller's address, which lies in this object, and a
// system call's number. A frame that was left is overwritten sooner or later.
inline bool is_stub_frame(unsigned long frame) {
  const auto* words = reinterpret_cast<const unsigned long*>(frame);
  unsigned long from = reinterpret_cast<unsigned long>(__ehdr_start), to = reinterpret_cast<unsigned long>(etext);
  return words[1] - from < to - from && words[2] < 1024;
}

}  // namespace kev::arch
