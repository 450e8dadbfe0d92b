// Daemons that close everything that they can name, and go on polling.
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "support/process.hpp"
#include "support/watched.hpp"

using namespace scenario;

namespace {

void by_hand(int fd) {
#if defined(__x86_64__)
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(SYS_close), "D"(fd) : "rcx", "r11", "memory");
#elif defined(__aarch64__)
  register long number __asm__("x8") = SYS_close;
  register long first __asm__("x0") = fd;
  __asm__ volatile("svc 0" : "+r"(first) : "r"(number) : "memory");
#endif
}

// Many descriptors, past every number that anyone held: they stay what they are, whatever is polled.
void take_many_numbers(Watched& watched) {
  constexpr int kMany = 500;
  int fds[kMany];
  for (int i = 0; i < kMany; ++i) {
    fds[i] = ::eventfd(static_cast<unsigned>(i) + 1, EFD_NONBLOCK);
    say("%d ", fds[i]);
    CHECK(fds[i] >= 0);
    if (i % 50 == 0) watched.expect({});
  }
  say("\n");
  watched.exercise();
  for (int i = 0; i < kMany; ++i) {
    unsigned long value = 0;
    CHECK(::read(fds[i], &value, sizeof value) == sizeof value);
    CHECK(value == static_cast<unsigned long>(i) + 1);
    CHECK(::close(fds[i]) == 0);
  }
  watched.exercise();
}

template <typename CloseAll>
void closes_and_goes_on(CloseAll close_all) {
  Watched before;
  before.fire(1);
  before.expect({1});
  close_all();
  for (int round = 0; round < Watched::kRounds; ++round) CHECK(before.poll(0) == static_cast<int>(kWatched));
  for (const pollfd& entry : before.fds) CHECK(entry.revents == POLLNVAL);
  Watched watched;
  watched.exercise();
  take_many_numbers(watched);
}

}  // namespace

SCENARIO(close_each) {
  closes_and_goes_on([] {
    for (int fd = 3; fd < 1024; ++fd) ::close(fd);
  });
}
SCENARIO(close_range) {
  closes_and_goes_on([] { CHECK(::close_range(3, ~0u, 0) == 0); });
}
SCENARIO(close_from) {
  closes_and_goes_on([] { ::closefrom(3); });
}
SCENARIO(close_each_by_syscall) {
  closes_and_goes_on([] {
    for (int fd = 3; fd < 1024; ++fd) ::syscall(SYS_close, fd);
  });
}
SCENARIO(close_range_by_syscall) {
  closes_and_goes_on([] { CHECK(::syscall(SYS_close_range, 3, ~0u, 0) == 0); });
}
SCENARIO(close_each_by_hand) {
  closes_and_goes_on([] {
    for (int fd = 3; fd < 1024; ++fd) by_hand(fd);
  });
}
SCENARIO(close_what_proc_shows) {
  closes_and_goes_on([] {
    for (int fd : open_numbers())
      if (fd > 2) ::close(fd);
  });
}

// By hand, and the numbers come back by calls that nobody follows.
SCENARIO(close_by_hand_and_duplicate_by_hand) {
  Watched watched;
  watched.exercise();
  int pipe[2];
  CHECK(::pipe(pipe) == 0);
  for (int fd = pipe[1] + 1; fd < 1024; ++fd) by_hand(fd);
  for (int fd = 60; fd < 1024; ++fd) {
#ifdef __x86_64__
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(SYS_dup2), "D"(pipe[1]), "S"(fd)
                     : "rcx", "r11", "memory");
    CHECK(result == fd);
#else
    CHECK(::dup2(pipe[1], fd) == fd);
#endif
  }
  watched.exercise();
  Watched another(30);
  another.exercise();
  for (int fd = 60; fd < 1024; ++fd) CHECK(::write(fd, "x", 1) == 1);
  for (int fd = 60; fd < 1024; ++fd) CHECK(::close(fd) == 0);
  watched.exercise();
}

// The whole way: daemon(), everything closed, an event loop. Its parent takes it in as its own child again.
SCENARIO(daemon_goes_on) {
  CHECK(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  Watched watched;
  watched.fire(1);
  watched.expect({1});
  const pid_t child = ::fork();
  if (child == 0) {
    watched.expect({1});
    CHECK(::daemon(0, 1) == 0);  // returns in a child of this child
    watched.expect({1});
    watched.calm(1);
    watched.exercise();
    for (int fd = 3; fd < 1024; ++fd) ::close(fd);
    Watched own;
    own.exercise();
    take_many_numbers(own);
    ::_exit(0);
  }
  expect_success(child);
  int status = -1;
  CHECK(::wait(&status) > 0 && status == 0);
  watched.expect({});
}

SCENARIO_MAIN
