// Child processes for what must not happen to the test's own process: limits, closing everything, stopping, dying.
//
// A child reports through its exit status: 0 is success; REQUIRE_IN_CHILD prints what did not hold and ends it with 1.
// A child that hangs is killed, and that is a failure with its own number.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/stopwatch.hpp"

#define REQUIRE_IN_CHILD(condition)                                                                     \
  do {                                                                                                  \
    if (!(condition)) {                                                                                 \
      ::dprintf(2, "%s:%d: in a child: %s does not hold (errno %d)\n", __FILE__, __LINE__, #condition, errno); \
      ::_exit(1);                                                                                       \
    }                                                                                                   \
  } while (0)

namespace conformance {

constexpr int kHung = 1000;

// The status with which a child ends: its exit code, 256 + the signal that killed it, or kHung.
inline int status_of(pid_t child) {
  for (const Stopwatch watch; watch.elapsed() < 20 * kSecond; sleep_ns(kMillisecond / 4)) {
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) == child)
      return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  return kHung;
}

template <typename Body>
pid_t start_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    ::_exit(0);
  }
  return child;
}

template <typename Body>
int run_in_child(Body body) {
  const pid_t child = start_child(body);
  return child < 0 ? kHung : status_of(child);
}

template <typename Body>
void expect_in_child(Body body) {
  const int status = run_in_child(body);
  EXPECT_EQ(0, status) << "what the child said stands above; more than 256: killed by that signal, 1000: it hung";
}

}  // namespace conformance
