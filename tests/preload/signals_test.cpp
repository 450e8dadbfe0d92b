// Signal handlers: interrupted waits, waits inside handlers, jumps out of them.
#include "harness/compare.hpp"

using namespace preload_test;

TEST(SignalsTest, TenThousandJumpsOutOfPollsLeaveThePollsRight) { expect_same("signals", "jump_from_short_polls", 8); }
TEST(SignalsTest, TenThousandJumpsOutOfSleepingPollsLeaveThePollsRight) {
  expect_same("signals", "jump_from_long_polls", 8);
}
TEST(SignalsTest, TenThousandJumpsOutOfSelectLeaveThePollsRight) { expect_same("signals", "jump_from_select", 8); }
TEST(SignalsTest, TenThousandJumpsOutOfEpollWaitLeaveThePollsRight) { expect_same("signals", "jump_from_epoll", 8); }
TEST(SignalsTest, AHandlerMayPollTheArrayThatItInterrupted) { expect_same("signals", "same_array_in_handler", 2000); }
TEST(SignalsTest, AHandlerMayPollAnArrayOfItsOwn) { expect_same("signals", "other_array_in_handler", 2000); }
TEST(SignalsTest, AHandlerOnAnotherStackMayPoll) { expect_same("signals", "handler_on_another_stack", 2000); }
TEST(SignalsTest, AHandlerOnASmallStackMayPoll) { expect_same("signals", "handler_on_a_small_stack", 4); }
TEST(SignalsTest, AHandlerMayJumpFromAnotherStack) { expect_same("signals", "jump_from_another_stack", 8); }
TEST(SignalsTest, AHandlerMayReplaceADescriptorOfTheArray) {
  expect_same("signals", "handler_replaces_a_descriptor", 100);
}
TEST(SignalsTest, AnInterruptedWaitReturnsAtOnce) { expect_same("signals", "interrupted", 10); }
