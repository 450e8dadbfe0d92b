// errno: the kernel's own at every error, untouched at every success.
#include "harness/compare.hpp"

using namespace preload_test;

namespace {

// As a user has it, and with arrays of any size in the core from the second call on.
void expect_same_errors(const std::string& scenario, long by_core) {
  for (const bool eager : {false, true})
    expect_same({.arguments = {program("errors"), scenario}, .eager = eager}, by_core);
}

}  // namespace

TEST(ErrnoTest, CallsThatCloseFailAsTheyWouldAlone) { expect_same_errors("closing", 0); }
TEST(ErrnoTest, CallsThatMakeDescriptorsFailAsTheyWouldAlone) { expect_same_errors("making", 0); }
TEST(ErrnoTest, EpollCallsFailAsTheyWouldAlone) { expect_same_errors("epoll", 0); }
TEST(ErrnoTest, PollsFailAsTheyWouldAlone) { expect_same_errors("polls", 15); }
TEST(ErrnoTest, SelectsFailAsTheyWouldAlone) { expect_same_errors("selects", 10); }
TEST(ErrnoTest, WaitsInsideTheCLibraryFailAsTheyWouldAlone) { expect_same_errors("libcs_waits", 0); }
TEST(ErrnoTest, CheckedCallsEndTheProgramAsTheyWouldAlone) { expect_same_errors("overflows", 0); }
TEST(ErrnoTest, NoSuccessfulCallTouchesErrno) { expect_same_errors("success", 30); }
