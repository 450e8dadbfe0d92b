// Descriptors that come and go by ways that nobody follows.
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "support/makers.hpp"
#include "support/process.hpp"
#include "support/watched.hpp"

using namespace scenario;

namespace {

#if defined(__x86_64__)
long by_hand(long number, long a = 0, long b = 0, long c = 0) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
long by_hand(long number, long a = 0, long b = 0, long c = 0) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
  return x0;
}
#endif

// The time that one verification may take, and what a loaded machine adds.
constexpr long kPeriodUs = 5'000, kSlackUs = 45'000;

// Puts readable pipes in place of some of the array's descriptors.
template <typename Replace>
void replaces(Replace replace) {
  Watched watched;
  watched.exercise();
  replace(watched);
  watched.exercise();
}

}  // namespace

SCENARIO(by_syscall) {
  Watched watched(0);
  for (unsigned i = 0; i < kWatched; ++i)
    watched.fds.push_back({static_cast<int>(::syscall(SYS_eventfd2, 0, EFD_NONBLOCK)), POLLIN, 0});
  watched.exercise();
}

SCENARIO(by_hand) {
  Watched watched(0);
  for (unsigned i = 0; i < kWatched; ++i)
    watched.fds.push_back({static_cast<int>(by_hand(SYS_eventfd2, 0, EFD_NONBLOCK)), POLLIN, 0});
  watched.exercise();
}

SCENARIO(received) {
  Peers peers;
  Watched sent;
  int fds[kWatched];
  for (unsigned i = 0; i < kWatched; ++i) fds[i] = sent.fds[i].fd;
  peers.send(fds, kWatched);
  Watched watched(0);
  CHECK(peers.receive(fds, kWatched) == kWatched);
  for (const int fd : fds) watched.fds.push_back({fd, POLLIN, 0});
  watched.exercise();
  sent.exercise();
  sent.close_all();
  watched.exercise();
}

SCENARIO(inherited_then) {
  Watched watched(0);
  for (int fd = 3; fd < 3 + static_cast<int>(kWatched); ++fd) watched.fds.push_back({fd, POLLIN, 0});
  watched.exercise();
}

SCENARIO(inherited) {
  Watched watched;
  watched.exercise();
  for (const pollfd& entry : watched.fds) CHECK(::fcntl(entry.fd, F_SETFD, 0) == 0);
  ::execl("/proc/self/exe", "unseen", "inherited_then", nullptr);
  CHECK(false);
}

SCENARIO(from_another_process) {
  int ready[2], go[2];
  CHECK(::pipe(ready) == 0 && ::pipe(go) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    Watched own;
    CHECK(::write(ready[1], &own.fds[0].fd, sizeof(int)) == sizeof(int));
    char byte;
    CHECK(::read(go[0], &byte, 1) == 1);
    ::_exit(0);
  }
  int first;
  CHECK(::read(ready[0], &first, sizeof first) == sizeof first);
  const int process = static_cast<int>(::syscall(SYS_pidfd_open, child, 0));
  CHECK(process >= 0);
  Watched watched(0);
  for (unsigned i = 0; i < kWatched; ++i) {
    const int fd = static_cast<int>(::syscall(SYS_pidfd_getfd, process, first + static_cast<int>(i), 0));
    CHECK(fd >= 0 && ::fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    watched.fds.push_back({fd, POLLIN, 0});
  }
  watched.exercise();
  CHECK(::write(go[1], "x", 1) == 1);
  expect_success(child);
  watched.exercise();
}

// Closed behind everyone's back, and the number is another file's: found within a period.
SCENARIO(reused_late_but_found) {
  replaces([](Watched& watched) {
    int pipe[2];
    CHECK(::pipe(pipe) == 0 && ::write(pipe[1], "x", 1) == 1);
    for (unsigned i = 0; i < kWatched; ++i) {
      const int fd = watched.fds[i].fd;
      CHECK(by_hand(SYS_close, fd) == 0);
      CHECK(by_hand(SYS_dup, pipe[0]) == fd);
      const long start = now_us();
      int result = 0;
      while ((result = watched.poll(0)) == 0) CHECK(now_us() - start < kPeriodUs + kSlackUs);
      CHECK(result == 1 && watched.fds[i].revents == POLLIN);
      watched.expect({i});
      CHECK(::close(fd) == 0);
      CHECK(::eventfd(0, EFD_NONBLOCK) == fd);
      watched.expect({});
    }
  });
}

// The same while another descriptor is ready all the time, so that no answer is empty.
SCENARIO(reused_beside_a_ready_one) {
  replaces([](Watched& watched) {
    int pipe[2];
    CHECK(::pipe(pipe) == 0 && ::write(pipe[1], "x", 1) == 1);
    watched.fire(0);
    for (unsigned i = 1; i < 9; ++i) {
      watched.expect({0});
      const int fd = watched.fds[i].fd;
      CHECK(by_hand(SYS_close, fd) == 0);
      CHECK(by_hand(SYS_dup, pipe[0]) == fd);
      const long start = now_us();
      while (watched.poll(0) == 1) CHECK(now_us() - start < kPeriodUs + kSlackUs);
      watched.expect({0, i});
      CHECK(::close(fd) == 0);
      CHECK(::eventfd(0, EFD_NONBLOCK) == fd);
    }
    watched.calm(0);
  });
}

// A wait that sleeps finds it too, long before its timeout.
SCENARIO(reused_before_a_sleep) {
  replaces([](Watched& watched) {
    int pipe[2];
    CHECK(::pipe(pipe) == 0 && ::write(pipe[1], "x", 1) == 1);
    for (unsigned i = 0; i < 8; ++i) {
      const int fd = watched.fds[i].fd;
      watched.expect({});
      CHECK(by_hand(SYS_close, fd) == 0);
      CHECK(by_hand(SYS_dup, pipe[0]) == fd);
      const long start = now_us();
      watched.expect_wait(i, 5'000);
      CHECK(now_us() - start < kPeriodUs + kSlackUs);
      CHECK(::close(fd) == 0);
      CHECK(::eventfd(0, EFD_NONBLOCK) == fd);
    }
  });
}

// The old file lives on in a duplicate and becomes ready: never reported under the number that is another's now.
SCENARIO(never_false) {
  replaces([](Watched& watched) {
    for (unsigned i = 0; i < kWatched; ++i) {
      const int fd = watched.fds[i].fd;
      const int kept = ::dup(fd);
      CHECK(by_hand(SYS_close, fd) == 0);
      CHECK(by_hand(SYS_eventfd2, 0, EFD_NONBLOCK) == fd);
      const unsigned long one = 1;
      CHECK(::write(kept, &one, sizeof one) == sizeof one);
      for (int round = 0; round < 20; ++round) CHECK(watched.poll(0) == 0 && watched.fds[i].revents == 0);
      CHECK(watched.poll(1) == 0);
      CHECK(::close(kept) == 0);
    }
  });
}

// Closed by hand and not replaced: reported as closed within a period.
SCENARIO(closed_late_but_found) {
  Watched watched;
  watched.exercise();
  const int fd = watched.fds[4].fd;
  CHECK(by_hand(SYS_close, fd) == 0);
  const long start = now_us();
  while (watched.poll(0) == 0) CHECK(now_us() - start < kPeriodUs + kSlackUs);
  CHECK(watched.fds[4].revents == POLLNVAL);
}

SCENARIO_MAIN
