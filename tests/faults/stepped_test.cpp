// A handler leaves a call by siglongjmp, or ends its thread, at any instruction of the call.
//
// programs/stepped.cpp does it; here it is run for each call and each way to leave, once with an answer of the core's
// and once with one that the program's own call finishes (KEV_VERIFY_USEC). A sample of the instructions, another in
// each run; KEV_FAULTS=all takes them all.
#include <gtest/gtest.h>
#include <string.h>

#include "harness/programs.hpp"
#include "harness/run.hpp"

using faults::takes_all;
using namespace preload_test;

namespace {

class SteppedTest : public ::testing::TestWithParam<const char*> {
 protected:
  void leave(const char* way) {
    const std::string samples = takes_all() ? "0" : "24";
    const std::string program = faults::program("stepped");
    for (const char* verify : {"KEV_VERIFY_USEC=10000000", "KEV_VERIFY_USEC=1"}) {
      // Where epoll's calls are counted, there is code of the object's to be left.
      const bool counted = ::strncmp(GetParam(), "epoll", 5) == 0;
      const Outcome outcome = run({.arguments = {program, GetParam(), way, samples}, .environment = {verify},
                                   .eager = true, .counted = counted, .seconds = takes_all() ? 900 : 60},
                                  By::preload);
      EXPECT_EQ(outcome.status, 0) << verify << "\n" << outcome.out << outcome.err;
      printf("%s %s", verify, outcome.out.c_str());
    }
  }
};

}  // namespace

TEST_P(SteppedTest, ByAJump) { leave("jump"); }
TEST_P(SteppedTest, ByARequestAndACancellationPoint) { leave("deferred_cancel"); }
TEST_P(SteppedTest, ByARequestOfTheAsynchronousType) { leave("asynchronous_cancel"); }

// One that returns: from the core's sleep to the program's own call nothing is slept over.
TEST(SteppedSleepTest, IsInterruptedBetweenItsSleeps) {
  const Outcome outcome = run({.arguments = {faults::program("stepped"), "poll_timeout", "interrupt",
                                             takes_all() ? "0" : "200"},
                               .environment = {"KEV_VERIFY_USEC=2000"}, .eager = true, .counted = false,
                               .seconds = takes_all() ? 900 : 60},
                              By::preload);
  EXPECT_EQ(outcome.status, 0) << outcome.out << outcome.err;
  printf("%s", outcome.out.c_str());
}

INSTANTIATE_TEST_SUITE_P(, SteppedTest,
                         ::testing::Values("poll_quiet", "poll_ready", "poll_first", "poll_changed", "poll_reused",
                                           "poll_asleep", "poll_timeout", "select_quiet", "select_ready",
                                           "select_first", "select_beyond", "select_asleep", "epoll_ctl", "epoll_wait",
                                           "close", "execve", "setrlimit"),
                         [](const auto& call) { return std::string(call.param); });
