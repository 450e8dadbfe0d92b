// Programs that close every number that there may be, in every way, and go on.
#include "harness/compare.hpp"

using namespace preload_test;

TEST(DaemonTest, ALoopOfCloseLeavesAWorkingProgram) { expect_same("daemon", "close_each", 30); }
TEST(DaemonTest, CloseRangeLeavesAWorkingProgram) { expect_same("daemon", "close_range", 30); }
TEST(DaemonTest, ClosefromLeavesAWorkingProgram) { expect_same("daemon", "close_from", 30); }
TEST(DaemonTest, ALoopOfSyscallLeavesAWorkingProgram) { expect_same("daemon", "close_each_by_syscall", 30); }
TEST(DaemonTest, CloseRangeBySyscallLeavesAWorkingProgram) { expect_same("daemon", "close_range_by_syscall", 30); }
TEST(DaemonTest, ALoopOfBareSystemCallsLeavesAWorkingProgram) { expect_same("daemon", "close_each_by_hand", 30); }
TEST(DaemonTest, ClosingWhatProcShowsLeavesAWorkingProgram) { expect_same("daemon", "close_what_proc_shows", 30); }
TEST(DaemonTest, NumbersTakenOverByBareSystemCallsAreTheProgramsOwn) {
  expect_same("daemon", "close_by_hand_and_duplicate_by_hand", 10);
}
TEST(DaemonTest, DaemonGoesOnPollingInTheBackground) { expect_same("daemon", "daemon_goes_on", 40); }
