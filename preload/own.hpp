// The program's own waits, as it made them: by the core's stub, or by the definition behind ours.
//
// Each returns what the libc function of the name returns. Where the kernel has only the newer call (arm64), that one
// is made, as libc does.
#pragma once

#include <sys/syscall.h>

#include "os/poll.hpp"
#include "preload/mask.hpp"
#include "preload/point.hpp"
#include "process/quiet.hpp"

namespace kev::preload {

inline int own_poll(pollfd* fds, nfds_t count, int timeout_ms) {
  if (!has_points(Family::poll)) [[unlikely]] return behind<&Next::poll>(fds, count, timeout_ms);
#ifdef SYS_poll
  return static_cast<int>(point(SYS_poll, fds, count, timeout_ms));
#else
  timespec time = {timeout_ms / 1000, timeout_ms % 1000 * 1'000'000L};
  return static_cast<int>(point(SYS_ppoll, fds, count, timeout_ms < 0 ? nullptr : &time, nullptr, os::kSigsetBytes));
#endif
}

// The kernel writes what remains of the time into its copy.
inline int own_ppoll(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask) {
  if (!has_points(Family::poll)) [[unlikely]] return behind<&Next::ppoll>(fds, count, timeout, mask);
  MaskCopy copy;
  timespec time;
  if (timeout != nullptr) time = *timeout;
  return static_cast<int>(point(SYS_ppoll, fds, count, timeout == nullptr ? nullptr : &time, copy.without_libcs(mask),
                                os::kSigsetBytes));
}

inline int own_pselect(int nfds, fd_set* in, fd_set* out, fd_set* except, const timespec* timeout,
                       const sigset_t* mask) {
  if (!has_points(Family::select)) [[unlikely]] return behind<&Next::pselect>(nfds, in, out, except, timeout, mask);
  MaskCopy copy;
  os::SelectMask with_size = {copy.without_libcs(mask), os::kSigsetBytes};
  timespec time;
  if (timeout != nullptr) time = *timeout;
  return static_cast<int>(
      point(SYS_pselect6, nfds, in, out, except, timeout == nullptr ? nullptr : &time, &with_size));
}

// select, too, says how much of the time remains. Some C libraries make select's call of it, others pselect6's: where a
// filter may tell them apart, it is theirs; and so are more microseconds than an int holds, which newer ones cut short.
inline int own_select(int nfds, fd_set* in, fd_set* out, fd_set* except, timeval* timeout) {
  if (!has_points(Family::select) || process::is_quiet()) [[unlikely]]
    return behind<&Next::select>(nfds, in, out, except, timeout);
  if (timeout == nullptr)
    return static_cast<int>(point(SYS_pselect6, nfds, in, out, except, nullptr, nullptr));
  if (timeout->tv_usec != static_cast<int>(timeout->tv_usec)) [[unlikely]]
    return behind<&Next::select>(nfds, in, out, except, timeout);
  constexpr long kMicroseconds = 1'000'000;
  if (timeout->tv_sec < 0 || timeout->tv_usec < 0) return fail(EINVAL);
  timespec time;
  if (__builtin_add_overflow(timeout->tv_sec, timeout->tv_usec / kMicroseconds, &time.tv_sec))
    time.tv_sec = __LONG_MAX__;
  time.tv_nsec = timeout->tv_usec % kMicroseconds * 1000;
  int result = static_cast<int>(point(SYS_pselect6, nfds, in, out, except, &time, nullptr));
  // One that stands in read-only memory is zero already.
  if (timeout->tv_sec != time.tv_sec || timeout->tv_usec != time.tv_nsec / 1000)
    *timeout = {time.tv_sec, time.tv_nsec / 1000};
  return result;
}

inline int own_epoll_wait(int epfd, epoll_event* events, int max, int timeout_ms) {
  if (!has_points(Family::epoll)) [[unlikely]] return behind<&Next::epoll_wait>(epfd, events, max, timeout_ms);
#ifdef SYS_epoll_wait
  return static_cast<int>(point(SYS_epoll_wait, epfd, events, max, timeout_ms));
#else
  return static_cast<int>(point(SYS_epoll_pwait, epfd, events, max, timeout_ms, nullptr, os::kSigsetBytes));
#endif
}

inline int own_epoll_pwait(int epfd, epoll_event* events, int max, int timeout_ms, const sigset_t* mask) {
  if (!has_points(Family::epoll)) [[unlikely]] return behind<&Next::epoll_pwait>(epfd, events, max, timeout_ms, mask);
  MaskCopy copy;
  return static_cast<int>(
      point(SYS_epoll_pwait, epfd, events, max, timeout_ms, copy.without_libcs(mask), os::kSigsetBytes));
}

// glibc before 2.35 has no epoll_pwait2, the kernel may have one.
inline int own_epoll_pwait2(int epfd, epoll_event* events, int max, const timespec* timeout, const sigset_t* mask) {
  const Next& libc = real();
  if (!has_points(Family::epoll) && libc.epoll_pwait2 != nullptr)
    return libc.epoll_pwait2(epfd, events, max, timeout, mask);
#ifdef SYS_epoll_pwait2
  MaskCopy copy;
  return static_cast<int>(
      point(SYS_epoll_pwait2, epfd, events, max, timeout, copy.without_libcs(mask), os::kSigsetBytes));
#else
  return fail(ENOSYS);
#endif
}

}  // namespace kev::preload
