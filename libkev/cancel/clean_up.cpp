// What pthread_cleanup_push() is where the compiler unwinds nothing: a jump that libc makes to us as it passes this
// frame.
#include "cancel/clean_up.hpp"

#include <csetjmp>
#include <pthread.h>

#include "cancel/libc.hpp"

namespace kev::cancel {

long run_with_clean_up(long (*body)(void*), void (*clean_up)(void*), void* argument) {
  if (libc.register_cancel == nullptr || libc.unregister_cancel == nullptr || libc.unwind_next == nullptr)
    return body(argument);
  __pthread_unwind_buf_t buffer;
  if (__sigsetjmp(reinterpret_cast<__jmp_buf_tag*>(&buffer), 0) != 0) {
    clean_up(argument);
    libc.unwind_next(&buffer);
  }
  libc.register_cancel(&buffer);
  long result = body(argument);
  libc.unregister_cancel(&buffer);
  return result;
}

}  // namespace kev::cancel
