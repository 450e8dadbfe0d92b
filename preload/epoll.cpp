// epoll_ctl and the epoll waits: the program's own system calls, counted, and in front of epoll_wait() a doorbell.
//
// A program's epoll set stays with the kernel: fetching ahead would change what other waiters and other processes
// see. What may be said without it is that nothing is there (libkev/bell).
#include "call/epoll.hpp"
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

// What is rare, apart from the exported functions: these are a look and a call then, in one page of code.
[[gnu::noinline]] int control_noted(int epfd, int op, int fd, epoll_event* event) {
  int result = real().epoll_ctl(epfd, op, fd, event);
  if (op == EPOLL_CTL_ADD && result == 0 && shim.bells) call::epoll_stands_in_a_set(fd);
  stats::add(stats::Call::epoll_ctl, stats::Counter::calls, 1);
  stats::add(stats::Call::epoll_ctl, stats::Counter::entries, 1);
  return result;
}

// What is there is taken first, as the busy do; then the bell is watched before the rest of the time is slept.
[[gnu::noinline]] int spin_and_wait(int epfd, epoll_event* events, int max, int timeout_ms) {
  int result = own_epoll_wait(epfd, events, max, 0);
  if (result != 0) return result;
  constexpr int64_t kMillisecond = 1'000'000;
  result = call::epoll_spin_and_wait(
      epfd, events, max, timeout_ms < 0 ? wait::Deadline::never() : wait::Deadline::after(timeout_ms * kMillisecond));
  return result < 0 ? fail(-result) : result;
}

[[gnu::noinline]] int learn(int epfd, epoll_event* events, int max, int result) {
  int saved = errno;
  call::epoll_learn(epfd, events, max, result);
  errno = saved;
  return result;
}

// A set that has a bell, which has not answered.
[[gnu::noinline]] int wait_for_armed(int epfd, epoll_event* events, int max, int timeout_ms) {
  int result = timeout_ms != 0 && bell::spins(epfd) ? spin_and_wait(epfd, events, max, timeout_ms)
                                                   : own_epoll_wait(epfd, events, max, timeout_ms);
  return bell::is_worth_learning(epfd, timeout_ms != 0, result) ? learn(epfd, events, max, result) : result;
}

[[gnu::noinline]] int ask_or_wait(int epfd, epoll_event* events, int max, int timeout_ms) {
  if (timeout_ms == 0 && call::epoll_finds_nothing(epfd, events, max)) return 0;
  return wait_for_armed(epfd, events, max, timeout_ms);
}

[[gnu::noinline]] int wait_counted(int epfd, epoll_event* events, int max, int timeout_ms) {
  check_process();
  WaitStart start = count_start(timeout_ms != 0);
  bool by_core = shim.bells && timeout_ms == 0 && call::epoll_finds_nothing(epfd, events, max);
  int result = by_core ? 0
               : shim.bells ? wait_for_armed(epfd, events, max, timeout_ms)
                            : own_epoll_wait(epfd, events, max, timeout_ms);
  count_end(stats::Call::epoll_wait, start, by_core, 0, result);
  return result;
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
  if (shim.epoll_direct && (op != EPOLL_CTL_ADD || !shim.bells)) [[likely]]
    return next.epoll_ctl(epfd, op, fd, event);
  return control_noted(epfd, op, fd, event);
}

extern "C" KEV_HOT int kev_epoll_wait(int epfd, epoll_event* events, int max, int timeout_ms) {
  if (!shim.epoll_direct) [[unlikely]]
    return wait_counted(epfd, events, max, timeout_ms);
  if (!shim.bells) return own_epoll_wait(epfd, events, max, timeout_ms);
  if (kev::bell::is_armed(epfd)) return ask_or_wait(epfd, events, max, timeout_ms);
  int result = own_epoll_wait(epfd, events, max, timeout_ms);
  if (kev::bell::is_worth_learning(epfd, timeout_ms != 0, result)) [[unlikely]]
    return learn(epfd, events, max, result);
  return result;
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
