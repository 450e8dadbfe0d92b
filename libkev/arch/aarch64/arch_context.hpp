// Where a signal found its thread, on aarch64.
#pragma once

#include <ucontext.h>

namespace kev::arch {

inline unsigned long program_counter(const ucontext_t& context) { return context.uc_mcontext.pc; }
inline void set_program_counter(ucontext_t& context, unsigned long address) { context.uc_mcontext.pc = address; }
inline unsigned long stack_pointer(const ucontext_t& context) { return context.uc_mcontext.sp; }

// Nothing of the stub's frame lies on the stack here.
inline bool is_stub_frame(unsigned long) { return true; }

}  // namespace kev::arch
