// fork and its kin: the child waits at once, the parent's mirrors are its own.
#include "harness/compare.hpp"

using namespace preload_test;

TEST(ForkTest, AChildPollsAtOnceAndItsChangesDoNotDisturbTheParent) { expect_same("fork", "plain", 1000); }
TEST(ForkTest, AChildOfTheBareSystemCallPollsAtOnce) { expect_same("fork", "raw_clone", 1000); }
TEST(ForkTest, AChildOfForkWithoutHandlersPollsAtOnce) { expect_same("fork", "under_fork", 1000); }
TEST(ForkTest, AChildOfForkptyPollsAtOnce) { expect_same("fork", "pseudo_terminal", 400); }
TEST(ForkTest, AGrandchildPollsAtOnce) { expect_same("fork", "grandchildren", 400); }
TEST(ForkTest, ManyForksWhileOtherThreadsPoll) { expect_same("fork", "threads", 2000); }
TEST(ForkTest, AChildStartsThreadsThatPollAndFork) { expect_same("fork", "threads_of_children", 500); }
TEST(ForkTest, AForkInAHandlerThatInterruptedAWaitGoesOnInBothProcesses) { expect_same("fork", "in_handler", 500); }
TEST(ForkTest, ForkHandlersMayPoll) { expect_same("fork", "fork_handlers", 40); }
TEST(ForkTest, AChildsNumbersAreThoseItWouldGetAnyway) { expect_same("fork", "numbers_after_fork", 20); }
TEST(ForkTest, NumbersOfAChildOfTheBareSystemCall) { expect_same("fork", "numbers_after_raw_clone", 20); }
TEST(ForkTest, NumbersOfAChildOfTheBareSystemCallThatHasPolled) {
  expect_same("fork", "numbers_after_raw_clone_and_poll", 20);
}
