// Filters: those that the program installs, and those that it was started under.
#include "harness/compare.hpp"

using namespace preload_test;

namespace {

// Scenarios that install a filter: with and without statistics, since counting makes calls of its own.
void expect_survives(const std::string& scenario, long by_core) {
  expect_same("seccomp", scenario, by_core);
  expect_same({.arguments = {program("seccomp"), scenario}, .counted = false}, 0);
}

constexpr const char* kCalls[] = {"epoll_create1", "io_uring_setup", "eventfd2", "timerfd_create",
                                  "prctl",         "madvise",        "epoll_ctl"};

Command launched(const std::string& answer, const std::string& call) {
  return {.arguments = {program("seccomp"), "launch", answer, call, program("seccomp"), "plain_polls"}};
}

}  // namespace

TEST(SeccompTest, AfterPrctlOnlyTheProgramsOwnCallsAreMade) { expect_survives("prctl", 20); }
TEST(SeccompTest, AfterSyscallSeccompOnlyTheProgramsOwnCallsAreMade) { expect_survives("syscall_seccomp", 20); }
TEST(SeccompTest, AfterSyscallPrctlOnlyTheProgramsOwnCallsAreMade) { expect_survives("syscall_prctl", 20); }
TEST(SeccompTest, AfterStrictModeOnlyTheProgramsOwnCallsAreMade) { expect_survives("strict", 10); }
TEST(SeccompTest, AFilterComesOverThreadsThatAreInTheCore) {
  for (int round = 0; round < 5; ++round) expect_survives("every_thread", 100);
}
TEST(SeccompTest, AFilterMayAnswerWithErrors) { expect_survives("denies", 20); }
TEST(SeccompTest, AFilteredProcessMayFork) { expect_survives("forks_under_filter", 20); }
TEST(SeccompTest, AChildMayFilterItself) { expect_survives("filters_in_child", 20); }
TEST(SeccompTest, AChildOfVforkMayFilterItselfAndTheParentsMirrorsStay) {
  expect_survives("filters_in_vfork_child", 200);
}

TEST(SeccompTest, UnderAnInheritedFilterThePlainPreloadPassesThrough) {
  for (const char* call : kCalls) {
    Command command = launched("kill", call);
    const Outcome native = run(command, By::nothing);
    EXPECT_EQ(native.status, 0) << call << native.err;
    command.environment.push_back("TEST_PRELOAD=" + preload_object());
    for (const bool verbose : {false, true}) {
      if (verbose) command.environment.push_back("KEV_STATS=/dev/null");
      const Outcome loaded = run(command, By::nothing);
      EXPECT_EQ(loaded.status, 0) << call << "\n" << loaded.err;
      EXPECT_EQ(loaded.out, native.out) << call;
      EXPECT_EQ(loaded.err, "") << call;
    }
  }
}

TEST(SeccompTest, UnderAnInheritedFilterThatDeniesThePlainPreloadPassesThrough) {
  for (const char* call : kCalls) {
    Command command = launched("deny", call);
    command.environment.push_back("TEST_PRELOAD=" + preload_object());
    const Outcome loaded = run(command, By::nothing);
    EXPECT_EQ(loaded.status, 0) << call << "\n" << loaded.err;
    EXPECT_EQ(loaded.out, "polls are right\n") << call;
    EXPECT_EQ(loaded.err, "") << call;
  }
}

TEST(SeccompTest, KevRunUnderAnInheritedFilterRunsTheProgram) {
  for (const char* answer : {"kill", "deny"})
    for (const char* call : kCalls) {
      Command command = launched(answer, call);
      command.arguments = {program("seccomp"), "launch",     answer, call, kev_run(), "--",
                           program("seccomp"), "plain_polls"};
      const Outcome loaded = run(command, By::nothing);
      EXPECT_EQ(loaded.status, 0) << answer << " " << call << "\n" << loaded.err;
      EXPECT_EQ(loaded.out, "polls are right\n") << answer << " " << call;
    }
}

TEST(SeccompTest, KevRunUnderAHarmlessFilterUsesTheCore) {
  Command command = launched("kill", "io_uring_setup");
  command.arguments = {program("seccomp"), "launch", "kill", "io_uring_setup", kev_run(), "--engine=epoll", "--stats",
                       "--stats-format=json", "--", program("seccomp"), "plain_polls"};
  const Outcome loaded = run(command, By::nothing);
  EXPECT_EQ(loaded.status, 0) << loaded.err;
  const Report report(loaded.err);
  EXPECT_EQ(report.first("state"), "active") << loaded.err;
  EXPECT_GT(report.by_core(), 20) << loaded.err;
}

TEST(SeccompTest, TheReportSaysThatAFilterKeepsTheCoreOut) {
  Command command = launched("kill", "epoll_create1");
  command.arguments = {program("seccomp"), "launch", "kill", "epoll_create1", kev_run(), "--stats",
                       "--stats-format=json", "--", program("seccomp"), "plain_polls"};
  const Outcome loaded = run(command, By::nothing);
  EXPECT_EQ(loaded.status, 0) << loaded.err;
  EXPECT_NE(loaded.err.find("seccomp"), std::string::npos) << loaded.err;
}
