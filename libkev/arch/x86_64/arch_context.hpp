// Where a signal found its thread, on x86_64.
#pragma once

#include <ucontext.h>

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

}  // namespace kev::arch
