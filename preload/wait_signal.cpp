// Waiting for signals: one that was taken is returned.
//
// The C library's own signals are kept out of the masks and sets: with them, a thread could not be told to end, or
// would be handed the telling itself.
#include <csignal>
#include <sys/syscall.h>

#include "os/poll.hpp"
#include "preload/mask.hpp"
#include "preload/point.hpp"

namespace kev::preload {

namespace {

int suspend(const sigset_t* mask) {
  MaskCopy copy;
  return static_cast<int>(point(SYS_rt_sigsuspend, copy.without_libcs(mask), os::kSigsetBytes));
}

// The signal, or -errno.
int take(const sigset_t* set, siginfo_t* info, const timespec* timeout) {
  MaskCopy copy;
  long result = raw_point(SYS_rt_sigtimedwait, copy.without_libcs(set), info, timeout, os::kSigsetBytes);
  // glibc's raise() is a tgkill(), and is told as a kill().
  if (result > 0 && info != nullptr && info->si_code == SI_TKILL) info->si_code = SI_USER;
  return static_cast<int>(result);
}

}  // namespace

}  // namespace kev::preload

using namespace kev::preload;

extern "C" int kev_sigsuspend(const sigset_t* mask) {
  return has_points(Family::signal) ? suspend(mask) : real().sigsuspend(mask);
}
KEV_ALIAS(__sigsuspend, int, (const sigset_t* mask), kev_sigsuspend(mask))

extern "C" int kev_sigtimedwait(const sigset_t* set, siginfo_t* info, const timespec* timeout) {
  if (!has_points(Family::signal)) return behind<&Next::sigtimedwait>(set, info, timeout);
  return static_cast<int>(result_of(take(set, info, timeout)));
}

extern "C" int kev_sigwaitinfo(const sigset_t* set, siginfo_t* info) {
  if (!has_points(Family::signal)) return behind<&Next::sigwaitinfo>(set, info);
  return static_cast<int>(result_of(take(set, info, nullptr)));
}

// Returns the error, and is not ended by handlers.
extern "C" int kev_sigwait(const sigset_t* set, int* signal) {
  if (!has_points(Family::signal)) return behind<&Next::sigwait>(set, signal);
  siginfo_t info;
  int taken;
  do taken = take(set, &info, nullptr);
  while (taken == -EINTR);
  if (taken < 0) return -taken;
  *signal = taken;
  return 0;
}

// The System V form: the thread's mask without one signal.
extern "C" int kev___xpg_sigpause(int signal) {
  sigset_t mask;
  if (!has_points(Family::signal)) return behind<&Next::__xpg_sigpause>(signal);
  if (sigprocmask(SIG_BLOCK, nullptr, &mask) != 0 || sigdelset(&mask, signal) < 0) return -1;
  return suspend(&mask);
}

// The BSD form: a mask of the first signals.
extern "C" int kev_sigpause(int mask) {
  if (!has_points(Family::signal)) return behind<&Next::sigpause>(mask);
  sigset_t set;
  sigemptyset(&set);
  set.__val[0] = static_cast<unsigned>(mask);
  return suspend(&set);
}

extern "C" int kev___sigpause(int signal_or_mask, int is_signal) {
  if (!has_points(Family::signal)) return behind<&Next::__sigpause>(signal_or_mask, is_signal);
  return is_signal != 0 ? kev___xpg_sigpause(signal_or_mask) : kev_sigpause(signal_or_mask);
}
