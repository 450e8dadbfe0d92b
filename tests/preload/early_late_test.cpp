// Any moment: before the constructor, after the destructor, inside malloc, at a thread's end.
#include "harness/compare.hpp"

using namespace preload_test;

TEST(EarlyLateTest, AnotherLibraryCallsBeforeTheConstructorAndAfterTheDestructor) {
  const Outcome loaded = expect_same("early", "library", 40);
  EXPECT_NE(loaded.out.find("library ended"), std::string::npos);
  EXPECT_NE(loaded.out.find("global ended"), std::string::npos);
}
TEST(EarlyLateTest, TheSameUnderKevRunWithoutStatistics) {
  expect_same({.arguments = {program("early"), "library"}, .counted = false}, 0, By::kev_run);
}
TEST(EarlyLateTest, ThreadDataDestructorsMayPoll) { expect_same("early", "thread_data", 200); }
TEST(EarlyLateTest, ThreadDataDestructorsThatComeAgainMayPoll) { expect_same("early", "thread_data_again", 500); }
TEST(EarlyLateTest, AProgramsOwnMallocMayPollAndClose) { expect_same("own-malloc", "polls_in_malloc", 10); }
