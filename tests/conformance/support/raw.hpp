// System calls made by the instruction itself, past every function of libc: how a program closes a descriptor that no
// library sees closed, and what the kernel says when nobody stands between.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>

#include "../../support/raw_syscall.h"

namespace conformance {

inline long raw_call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
  return raw6(number, a, b, c, d, e, f);
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
