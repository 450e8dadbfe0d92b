// Cancellation as a program under the shim has it: the C library's functions behind the core's.
#pragma once

#include "cancel/libc.hpp"

namespace unit {

inline void connect_libc() {
  kev::cancel::libc = {::pthread_cancel, ::pthread_testcancel, ::pthread_setcancelstate, ::pthread_getcpuclockid};
}

}  // namespace unit
