// syscall(): the way round every wrapper.
//
// The call itself is always libc's syscall() with the program's own words, since that is no cancellation point and the
// wrappers of the same name may be. Around it stands the same bookkeeping as around the wrapper.
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "preload/descriptors.hpp"

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE (1U << 1)
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

using namespace kev::preload;
namespace process = kev::process;

namespace {

// What of a system call the shim has to know.
enum class Effect {
  none, closes, closes_range, makes, makes_pair, takes_number, controls, limits, filters, separates, watches, sets_option
};

Effect effect_of(long number, long a, long b) {
  switch (number) {
    case SYS_close: return Effect::closes;
    case SYS_close_range: return Effect::closes_range;
#ifdef SYS_dup2
    case SYS_dup2:
#endif
    case SYS_dup3: return Effect::takes_number;
    case SYS_fcntl: return b == F_DUPFD || b == F_DUPFD_CLOEXEC ? Effect::makes : Effect::controls;
#ifdef SYS_open
    case SYS_open:
    case SYS_creat:
    case SYS_eventfd:
    case SYS_epoll_create:
    case SYS_inotify_init:
    case SYS_signalfd:
#endif
    case SYS_openat:
    case SYS_dup:
    case SYS_socket:
    case SYS_accept:
    case SYS_accept4:
    case SYS_eventfd2:
    case SYS_epoll_create1:
    case SYS_inotify_init1:
    case SYS_signalfd4:
    case SYS_timerfd_create:
    case SYS_memfd_create: return Effect::makes;
    case SYS_pipe2:
#ifdef SYS_pipe
    case SYS_pipe:
#endif
    case SYS_socketpair: return Effect::makes_pair;
    case SYS_setrlimit:
    case SYS_prlimit64: return Effect::limits;
    case SYS_seccomp: return a == SECCOMP_SET_MODE_STRICT || a == SECCOMP_SET_MODE_FILTER ? Effect::filters : Effect::none;
    case SYS_prctl: return a == PR_SET_SECCOMP ? Effect::filters : Effect::none;
    case SYS_epoll_ctl: return b == EPOLL_CTL_ADD ? Effect::watches : Effect::none;
    case SYS_setsockopt: return Effect::sets_option;
    case SYS_unshare: return (a & CLONE_FILES) != 0 ? Effect::separates : Effect::none;
    default: return Effect::none;
  }
}

[[gnu::noinline]] long close_range_raw(long number, long first, long last, long flags) {
  bool closes = (static_cast<unsigned>(flags) & CLOSE_RANGE_CLOEXEC) == 0;
  if ((static_cast<unsigned>(flags) & CLOSE_RANGE_UNSHARE) != 0) before_own_table();
  if (closes && process::private_count.load(std::memory_order_relaxed) != 0 && !process::in_vfork_child())
    kev::record::revoke_all();
  long result = real().syscall(number, first, last, flags, 0, 0, 0);
  if (closes) range_went(static_cast<unsigned>(first), static_cast<unsigned>(last));
  return result;
}

}  // namespace

extern "C" long kev_syscall(long number, long a, long b, long c, long d, long e, long f) {
  const Next& libc = real();
  auto own = [&] { return libc.syscall(number, a, b, c, d, e, f); };
  int fd = static_cast<int>(a);
  Effect effect = effect_of(number, a, b);
  switch (effect) {
    case Effect::none: break;
    case Effect::closes: {
      if (is_hidden(fd)) return fail(EBADF);
      long result = own();
      went(fd);
      return result;
    }
    case Effect::closes_range: return close_range_raw(number, a, b, c);
    case Effect::takes_number:
      leave_number(static_cast<int>(b));
      [[fallthrough]];
    case Effect::makes:
      if ((number == SYS_fcntl || number == SYS_dup || effect == Effect::takes_number) && is_hidden(fd)) return fail(EBADF);
      if (number == SYS_fcntl) leave_numbers_from(static_cast<int>(c));
      return make([&] { return static_cast<int>(own()); });
    case Effect::makes_pair:
      return make_pair(reinterpret_cast<int*>(number == SYS_socketpair ? d : a), [&] { return static_cast<int>(own()); });
    case Effect::controls:
      if (is_hidden(fd)) return fail(EBADF);
      break;
    case Effect::limits: {
      bool by_setrlimit = number == SYS_setrlimit;
      long resource = by_setrlimit ? a : b, fresh = by_setrlimit ? b : c;
      return limit_changed(static_cast<int>(resource), fresh != 0, static_cast<int>(own()));
    }
    case Effect::filters: before_filter(); break;
    case Effect::separates: before_own_table(); break;
    case Effect::sets_option: {
      long result = own();
      option_was_set(fd, static_cast<int>(b), static_cast<int>(c));
      return result;
    }
    case Effect::watches: {
      long result = own();
      if (result == 0 && shim.bells) kev::call::epoll_stands_in_a_set(static_cast<int>(c));
      return result;
    }
  }
  return own();
}
