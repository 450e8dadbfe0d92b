// RLIMIT_NOFILE: as many descriptors, the same error at the same point, and polls that go on.
#include "harness/compare.hpp"

using namespace preload_test;

TEST(LimitsTest, EveryCallMakesAsManyDescriptorsAsAlone) { expect_same("limits", "each_call", 200); }
TEST(LimitsTest, CallsInsideTheCLibraryMakeAsManyDescriptorsAsAlone) { expect_same("limits", "each_unseen_call", 50); }
TEST(LimitsTest, TheLimitMayBeMetAgainAndAgain) { expect_same("limits", "again_and_again", 10); }
TEST(LimitsTest, TheLimitMayBeLoweredBelowThePrivateNumbers) { expect_same("limits", "lowered", 20); }
TEST(LimitsTest, AnArrayLargerThanALoweredLimitIsRefused) { expect_same("limits", "lowered_below_the_array", 20); }
TEST(LimitsTest, AnArrayLargerThanALimitThatWasLoweredByNumberIsRefused) {
  expect_same("limits", "lowered_below_the_array_by_number", 20);
}
TEST(LimitsTest, AProgramThatMayLockItsMemoryMayDoSo) { expect_same("limits", "locked_memory", 10); }
TEST(LimitsTest, AWaitLeftByAJumpDoesNotCostTheProgramADescriptor) {
  expect_same("limits", "after_an_abandoned_wait", 20);
}
TEST(LimitsTest, AWaitLeftByAJumpDoesNotCostTheProgramANumber) {
  expect_same("limits", "numbers_after_an_abandoned_wait", 20);
}
TEST(LimitsTest, AJumpOutOfTheFirstAnswersDoesNotCostTheProgramANumber) {
  expect_same("limits", "numbers_after_a_jump_at_any_moment", 250);
}
