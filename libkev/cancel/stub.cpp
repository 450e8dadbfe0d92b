// Where the stub goes on when there is something to look at; both are called by arch/<cpu>/syscall_cp.S alone.
//
// No frame here holds anything to destroy: a cancelled thread is unwound through them.
#include "cancel/stub.hpp"

#include <cerrno>
#include <sys/syscall.h>

#include "cancel/handler.hpp"
#include "cancel/point.hpp"
#include "cancel/request.hpp"

constinit thread_local kev::cancel::Record kev_cancel_self = {};

using namespace kev::cancel;

// There is a request, and the call has not been made. With the stub's own arguments, which it has kept.
extern "C" [[gnu::visibility("hidden")]] long kev_cp_cancelled(long a, long b, long c, long d, long e, long f,
                                                               long number, unsigned long how) {
  uint32_t seen = settle();
  if ((how & kReturn) != 0) return kCancelled;
  pass_point();
  // Disabled, or in the middle of ending. What comes after the look is seen by the stub.
  return kev_syscall_cp(a, b, c, d, e, f, number, seen);
}

// The call has a result, and there is, or was, a request. A wait that was interrupted has done nothing and may act on
// it; close() has, whatever it returns.
extern "C" [[gnu::visibility("hidden")]] long kev_cp_returned(long result, int number, unsigned long how) {
  settle();
  if (result == -EINTR && number != SYS_close && (how & kReturn) == 0) pass_point();
  // A handler's own call has had its result, and the signal: the call that the handler interrupted must look as well.
  // Not so if the signal is still to come, which would find itself blocked.
  if (!self().disabled.load(std::memory_order_relaxed) && !Slot::signal_will_come()) look_again_below();
  return result;
}
