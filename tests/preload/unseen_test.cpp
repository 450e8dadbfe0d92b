// Descriptors that the object never saw made, or never saw closed.
#include "harness/compare.hpp"

using namespace preload_test;

TEST(UnseenTest, DescriptorsMadeBySyscallSimplyWork) { expect_same("unseen", "by_syscall", 20); }
TEST(UnseenTest, DescriptorsMadeByBareSystemCallsSimplyWork) { expect_same("unseen", "by_hand", 20); }
TEST(UnseenTest, DescriptorsReceivedFromAPeerSimplyWork) { expect_same("unseen", "received", 60); }
TEST(UnseenTest, DescriptorsInheritedOverExecSimplyWork) { expect_same("unseen", "inherited", 40); }
TEST(UnseenTest, DescriptorsTakenFromAnotherProcessSimplyWork) { expect_same("unseen", "from_another_process", 40); }
TEST(UnseenTest, ANumberReusedUnseenIsFoundWithinAPeriod) { expect_same("unseen", "reused_late_but_found", 100); }
TEST(UnseenTest, ANumberReusedUnseenIsFoundBesideOneThatIsAlwaysReady) {
  expect_same("unseen", "reused_beside_a_ready_one", 50);
}
TEST(UnseenTest, ANumberReusedUnseenIsFoundByAWaitThatSleeps) { expect_same("unseen", "reused_before_a_sleep", 50); }
TEST(UnseenTest, AFileThatLivesOnIsNeverReportedUnderItsOldNumber) { expect_same("unseen", "never_false", 100); }
TEST(UnseenTest, ANumberClosedUnseenIsFoundWithinAPeriod) { expect_same("unseen", "closed_late_but_found", 20); }
