// vfork, posix_spawn, system and popen: the child's calls do not change the parent's tables.
#include <unistd.h>

#include "harness/compare.hpp"

using namespace preload_test;

TEST(VforkTest, AChildThatClosesOneByOneAndExecutesLeavesTheParentsMirrors) { expect_same("vfork", "close_each", 300); }
TEST(VforkTest, AChildThatClosesARangeAndExecutesLeavesTheParentsMirrors) { expect_same("vfork", "close_range", 300); }
TEST(VforkTest, AChildThatClosesFromANumberAndExecutesLeavesTheParentsMirrors) {
  expect_same("vfork", "close_from", 300);
}
TEST(VforkTest, AChildMayPoll) { expect_same("vfork", "polls_in_child", 100); }
TEST(VforkTest, AChildHasAllNumbers) { expect_same("vfork", "numbers_in_child", 30); }
TEST(VforkTest, AHandlerThatRunsAsItReturnsIsTheParents) { expect_same("vfork", "handler_as_it_returns", 60); }
TEST(VforkTest, TheResultIsTheChildsId) { expect_same("vfork", "returns_the_childs_id", 0); }
TEST(VforkTest, AFailureIsMinusOneAndErrno) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become a user who may have no more processes";
  expect_same("vfork", "fails", 20);
}
TEST(VforkTest, ManyThreadsStartProgramsAtOnce) { expect_same("vfork", "threads", 300); }
TEST(VforkTest, AChildOfCloneThatBorrowsTheMemoryLeavesTheParentsMirrors) {
  expect_same("vfork", "clone_that_borrows_memory", 100);
}
TEST(VforkTest, AChildOfVforkMayFork) { expect_same("vfork", "fork_in_child", 5); }
TEST(VforkTest, SpawnsFileActionsLeaveTheParentsMirrors) { expect_same("vfork", "spawn", 50); }
TEST(VforkTest, SystemAndPopenLeaveTheParentsMirrors) { expect_same("vfork", "shell", 50); }
