// Cancellation as a program under the shim has it: the C library's functions behind the core's.
#pragma once

#include "cancel/libc.hpp"

namespace unit {

inline void connect_libc() {
  kev::cancel::libc = {};
  kev::cancel::libc.cancel = ::pthread_cancel;
  kev::cancel::libc.testcancel = ::pthread_testcancel;
  kev::cancel::libc.setcancelstate = ::pthread_setcancelstate;
  kev::cancel::libc.setcanceltype = ::pthread_setcanceltype;
  kev::cancel::libc.getcpuclockid = ::pthread_getcpuclockid;
}

}  // namespace unit
