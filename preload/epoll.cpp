// epoll_ctl and the epoll waits: the program's own system calls, counted.
//
// A program's epoll set stays with the kernel: fetching ahead would change what other waiters and other processes
// see.
#include "preload/own.hpp"
#include "preload/wait_count.hpp"

namespace kev::preload {

namespace {

template <typename Own>
int counted(stats::Call call, bool may_sleep, Own own) {
  check_process();
  WaitStart start = count_start(may_sleep);
  int result = own();
  count_end(call, start, /*by_core=*/false, 0, result);
  return result;
}

// The counted forms, apart from the exported functions: these are a look and a jump then, without a frame.
[[gnu::noinline]] int control_counted(int epfd, int op, int fd, epoll_event* event) {
  int result = real().epoll_ctl(epfd, op, fd, event);
  stats::add(stats::Call::epoll_ctl, stats::Counter::calls, 1);
  stats::add(stats::Call::epoll_ctl, stats::Counter::entries, 1);
  return result;
}

[[gnu::noinline]] int wait_counted(int epfd, epoll_event* events, int max, int timeout_ms) {
  return counted(stats::Call::epoll_wait, timeout_ms != 0,
                 [&] { return own_epoll_wait(epfd, events, max, timeout_ms); });
}

[[gnu::noinline]] int pwait_counted(int epfd, epoll_event* events, int max, int timeout_ms, const sigset_t* mask) {
  return counted(stats::Call::epoll_pwait, timeout_ms != 0,
                 [&] { return own_epoll_pwait(epfd, events, max, timeout_ms, mask); });
}

// Whether it sleeps is for the kernel to read.
[[gnu::noinline]] int pwait2_counted(int epfd, epoll_event* events, int max, const timespec* timeout,
                                     const sigset_t* mask) {
  return counted(stats::Call::epoll_pwait2, /*may_sleep=*/true,
                 [&] { return own_epoll_pwait2(epfd, events, max, timeout, mask); });
}

}  // namespace

}  // namespace kev::preload

using namespace kev::preload;

extern "C" KEV_HOT int kev_epoll_ctl(int epfd, int op, int fd, epoll_event* event) {
  if (shim.epoll_direct) [[likely]]
    return next.epoll_ctl(epfd, op, fd, event);
  return control_counted(epfd, op, fd, event);
}

extern "C" KEV_HOT int kev_epoll_wait(int epfd, epoll_event* events, int max, int timeout_ms) {
  if (shim.epoll_direct) [[likely]]
    return own_epoll_wait(epfd, events, max, timeout_ms);
  return wait_counted(epfd, events, max, timeout_ms);
}

extern "C" KEV_HOT int kev_epoll_pwait(int epfd, epoll_event* events, int max, int timeout_ms, const sigset_t* mask) {
  if (shim.epoll_direct) [[likely]]
    return own_epoll_pwait(epfd, events, max, timeout_ms, mask);
  return pwait_counted(epfd, events, max, timeout_ms, mask);
}

extern "C" int kev_epoll_pwait2(int epfd, epoll_event* events, int max, const timespec* timeout,
                                const sigset_t* mask) {
  if (shim.epoll_direct) [[likely]]
    return own_epoll_pwait2(epfd, events, max, timeout, mask);
  return pwait2_counted(epfd, events, max, timeout, mask);
}
