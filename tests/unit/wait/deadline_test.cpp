// Deadlines: never, at once, relative, points of both clocks, and the edges of the numbers.
#include "wait/deadline.hpp"

#include <gtest/gtest.h>

#include "support/stopwatch.hpp"

namespace kev::wait {
namespace {

using conformance::kMillisecond;
using conformance::kSecond;
using conformance::now_ns;

TEST(DeadlineTest, NeverIsNotPassedAndHasNoRemainder) {
  Deadline never = Deadline::never();
  timespec left = {1, 2};
  EXPECT_TRUE(never.is_never());
  EXPECT_FALSE(never.is_now());
  EXPECT_FALSE(never.passed());
  EXPECT_EQ(INT64_MAX, never.left());
  EXPECT_FALSE(never.remaining(left));
}

TEST(DeadlineTest, NowHasPassed) {
  Deadline now = Deadline::now();
  timespec left = {1, 2};
  EXPECT_TRUE(now.is_now());
  EXPECT_TRUE(now.passed());
  EXPECT_EQ(0, now.left());
  EXPECT_TRUE(now.remaining(left));
  EXPECT_EQ(0, left.tv_sec);
  EXPECT_EQ(0, left.tv_nsec);
}

TEST(DeadlineTest, ARelativeOneCountsFromWhenItWasMade) {
  std::int64_t before = now_ns();
  Deadline deadline = Deadline::after(20 * kMillisecond);
  EXPECT_FALSE(deadline.passed());
  EXPECT_GE(20 * kMillisecond, deadline.left());
  EXPECT_LT(0, deadline.left());
  while (!deadline.passed()) {
  }
  EXPECT_LE(before + 20 * kMillisecond, now_ns());
  EXPECT_EQ(0, deadline.left());
}

TEST(DeadlineTest, IsExactToTheNanosecond) {
  std::int64_t before = now_ns();
  Deadline deadline = Deadline::after(10 * kSecond + 1);
  std::int64_t left = deadline.left();
  std::int64_t after = now_ns();
  EXPECT_GE(10 * kSecond + 1, left);
  EXPECT_LE(10 * kSecond + 1 - (after - before), left);
}

TEST(DeadlineTest, NoTimeAndLessDoNotSleep) {
  for (std::int64_t ns : {std::int64_t{0}, std::int64_t{-1}, INT64_MIN}) EXPECT_TRUE(Deadline::after(ns).is_now());
}

TEST(DeadlineTest, BeyondTheClockIsNever) {
  EXPECT_TRUE(Deadline::after(INT64_MAX).is_never());
  EXPECT_TRUE(Deadline::after(INT64_MAX - now_ns() + kSecond).is_never());
  EXPECT_FALSE(Deadline::after(INT64_MAX - now_ns() - kSecond).is_never());
}

TEST(DeadlineTest, PointsOfBothClocksAreLookedAtOnTheirOwnClock) {
  for (clockid_t clock : {CLOCK_MONOTONIC, CLOCK_REALTIME}) {
    Deadline deadline = Deadline::at(clock, now_ns(clock) + kSecond);
    EXPECT_FALSE(deadline.passed());
    EXPECT_GE(kSecond, deadline.left());
    EXPECT_LT(kSecond / 2, deadline.left());
    EXPECT_TRUE(Deadline::at(clock, now_ns(clock) - 1).passed());
    EXPECT_TRUE(Deadline::at(clock, 0).passed());
  }
}

TEST(DeadlineTest, TheFirstAndTheLastPointOfAClockAreOrdinary) {
  EXPECT_TRUE(Deadline::at(CLOCK_MONOTONIC, INT64_MIN).passed());
  EXPECT_EQ(0, Deadline::at(CLOCK_REALTIME, INT64_MIN).left());
  EXPECT_FALSE(Deadline::at(CLOCK_REALTIME, INT64_MAX).passed());
}

TEST(DeadlineTest, ATimespecIsRelativeAndNoneIsNever) {
  EXPECT_TRUE(Deadline::from(nullptr).is_never());
  timespec zero = {0, 0}, one = {1, 5}, endless = {INT64_MAX, 999'999'999}, long_one = {INT64_MAX / 1'000'000'000, 0};
  EXPECT_TRUE(Deadline::from(&zero).is_now());
  EXPECT_GE(kSecond + 5, Deadline::from(&one).left());
  EXPECT_LT(kSecond / 2, Deadline::from(&one).left());
  EXPECT_TRUE(Deadline::from(&endless).is_never());
  EXPECT_TRUE(Deadline::from(&long_one).is_never());
}

TEST(DeadlineTest, RemainingIsWhatIsLeftAsATimespec) {
  timespec left = {-1, -1};
  EXPECT_TRUE(Deadline::after(7 * kSecond + 999'999'999).remaining(left));
  EXPECT_EQ(7, left.tv_sec);
  EXPECT_LT(900'000'000, left.tv_nsec);
  EXPECT_TRUE(timespec_valid(left));
  EXPECT_TRUE(Deadline::at(CLOCK_MONOTONIC, 1).remaining(left));
  EXPECT_EQ(0, left.tv_sec);
  EXPECT_EQ(0, left.tv_nsec);
}

TEST(DeadlineTest, AtMostIsTheSoonerOfTheTwo) {
  EXPECT_GE(kSecond, Deadline::never().at_most(kSecond).left());
  EXPECT_TRUE(Deadline::never().at_most(INT64_MAX).is_never());
  EXPECT_TRUE(Deadline::now().at_most(kSecond).is_now());
  EXPECT_GE(kSecond, Deadline::after(2 * kSecond).at_most(kSecond).left());
  EXPECT_GE(kMillisecond, Deadline::after(kMillisecond).at_most(kSecond).left());
  EXPECT_TRUE(Deadline::never().at_most(0).passed());
}

TEST(DeadlineTest, ATimespecIsValidAsTheKernelHasIt) {
  EXPECT_TRUE(timespec_valid({0, 0}));
  EXPECT_TRUE(timespec_valid({INT64_MAX, 999'999'999}));
  EXPECT_FALSE(timespec_valid({-1, 0}));
  EXPECT_FALSE(timespec_valid({0, -1}));
  EXPECT_FALSE(timespec_valid({0, 1'000'000'000}));
}

}  // namespace
}  // namespace kev::wait
