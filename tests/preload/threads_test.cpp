// Threads: many at once, shared descriptors, ends and cancellations.
#include "harness/compare.hpp"

using namespace preload_test;

TEST(ThreadsTest, SixteenThreadsPollArraysOfTheirOwn) { expect_same("threads", "private_arrays", 5000); }
TEST(ThreadsTest, AllThreadsPollTheSameDescriptors) { expect_same("threads", "shared_descriptors", 100); }
TEST(ThreadsTest, AnEventWakesEverySleeper) { expect_same("threads", "shared_wake_up", 10); }
TEST(ThreadsTest, AThreadsEndReleasesItsDescriptors) { expect_same("threads", "ended_threads_leave_nothing", 2000); }
TEST(ThreadsTest, ADetachedThreadsEndReleasesItsDescriptors) {
  expect_same("threads", "detached_threads_leave_nothing", 1000);
}
TEST(ThreadsTest, AThreadIsCancelledAsleepInTheCore) { expect_same("threads", "cancelled_asleep_in_the_core", 1000); }
TEST(ThreadsTest, AThreadIsCancelledInALongSleep) { expect_same("threads", "cancelled_in_a_long_sleep", 1000); }
TEST(ThreadsTest, AThreadThatDisabledCancellationIsNotDisturbed) {
  expect_same("threads", "cancelled_but_disabled", 100);
}
TEST(ThreadsTest, RangesCloseWhileThreadsSleep) { expect_same("threads", "ranges_close_under_sleepers", 20); }
