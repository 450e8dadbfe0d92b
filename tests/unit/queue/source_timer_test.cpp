// Timers in a queue: once, periodic, absolute, on three clocks; never early.
#include <kev/kev.h>

#include <gtest/gtest.h>

#include "queue/queue.hpp"
#include "support/native_queue.hpp"

namespace {

using namespace native;

class SourceTimerTest : public FormTest {
 protected:
  static constexpr std::int64_t kLong = 10 * kSecond;
};
KEV_FORMS(SourceTimerTest);

TEST_P(SourceTimerTest, ExpiresOnceAndNotBeforeItsTime) {
  for (std::int64_t ns : {std::int64_t{1}, 100'000L, 3'000'000L, 40'000'000L}) {
    kev_deadline first = from_now(ns);
    Stopwatch watch;
    std::int64_t before = now_ns();
    ASSERT_EQ(0, kev_add_timer(q, 5, &first, 0, 0, 6));
    auto events = queue.wait(kLong);
    EXPECT_TRUE(watch.in_time(ns));
    ASSERT_EQ(1u, events.size());
    EXPECT_EQ(5u, events[0].ident);
    EXPECT_EQ(6u, events[0].udata);
    EXPECT_EQ(1, events[0].result);
    EXPECT_EQ(KEV_EXPIRED, events[0].what);
    EXPECT_LE(before + ns, static_cast<std::int64_t>(events[0].data[0]));
    EXPECT_EQ(0u, queue.wait(kMillisecond).size());
    EXPECT_EQ(0, kev_delete(q, KEV_SOURCE_TIMER, 5));
  }
}

TEST_P(SourceTimerTest, PeriodicOnesTellHowOftenTheyExpired) {
  kev_deadline first = from_now(kMillisecond);
  ASSERT_EQ(0, kev_add_timer(q, 1, &first, 2 * kMillisecond, 0, 0));
  sleep_ns(20 * kMillisecond);
  auto events = queue.wait(kLong);
  ASSERT_EQ(1u, events.size());
  EXPECT_LE(10, events[0].result);
  EXPECT_GE(10'000, events[0].result);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(1u, queue.wait(kLong).size());
}

TEST_P(SourceTimerTest, TakesPointsOfEachClock) {
  std::uint64_t id = 0;
  for (clockid_t clock : {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME}) {
    for (std::int64_t ahead : {5 * kMillisecond, std::int64_t{0}, -5 * kMillisecond}) {
      kev_deadline first = {now_ns(clock) + ahead, 0, clock, KEV_ABS};
      ASSERT_EQ(0, kev_add_timer(q, ++id, &first, 0, KEV_ONESHOT, 0));
      auto events = queue.wait(kLong);
      EXPECT_LE(first.ns, now_ns(clock));
      ASSERT_EQ(1u, events.size());
      EXPECT_EQ(id, events[0].ident);
      EXPECT_EQ(KEV_E_LAST, events[0].flags);
      EXPECT_EQ(static_cast<std::uint64_t>(first.ns), events[0].data[0]);
      kev_deadline relative = {kMillisecond, 0, clock, 0};
      ASSERT_EQ(0, kev_add_timer(q, id, &relative, 0, KEV_ONESHOT, 0));
      EXPECT_EQ(1u, queue.wait(kLong).size());
    }
  }
}

TEST_P(SourceTimerTest, ADeletedOneDoesNotExpire) {
  kev_deadline first = from_now(kMillisecond);
  ASSERT_EQ(0, kev_add_timer(q, 1, &first, 0, 0, 0));
  EXPECT_EQ(0, kev_delete(q, KEV_SOURCE_TIMER, 1));
  ASSERT_EQ(0, kev_add_timer(q, 1, &first, 0, 0, 0));
  sleep_ns(3 * kMillisecond);
  EXPECT_EQ(0, kev_delete(q, KEV_SOURCE_TIMER, 1));
  EXPECT_EQ(0u, queue.wait(3 * kMillisecond).size());
}

TEST_P(SourceTimerTest, OneThatIsNotArmedWaitsForItsChange) {
  ASSERT_EQ(0, kev_add_timer(q, 1, nullptr, 0, 0, 0));
  EXPECT_EQ(0u, queue.wait(kMillisecond).size());
  kev_change change = {};
  change.op = KEV_MOD;
  change.source = KEV_SOURCE_TIMER;
  change.ident = 1;
  change.arg[0] = kMillisecond;
  change.arg[2] = CLOCK_MONOTONIC;
  EXPECT_EQ(0, kev_submit(q, &change, 1));
  EXPECT_EQ(1u, queue.wait(kLong).size());
}

TEST_P(SourceTimerTest, DisablingStopsItAndEnablingStartsItAnew) {
  kev_deadline first = from_now(2 * kMillisecond);
  ASSERT_EQ(0, kev_add_timer(q, 1, &first, 0, 0, 0));
  EXPECT_EQ(0, queue.change(KEV_DISABLE, KEV_SOURCE_TIMER, 1));
  EXPECT_EQ(0u, queue.wait(5 * kMillisecond).size());
  EXPECT_EQ(0, queue.change(KEV_ENABLE, KEV_SOURCE_TIMER, 1));
  EXPECT_EQ(1u, queue.wait(kLong).size());
}

TEST_P(SourceTimerTest, ASleeperIsToldOfAnEarlierOne) {
  kev_deadline late = from_now(60 * kSecond), soon = from_now(kMillisecond);
  ASSERT_EQ(0, kev_add_timer(q, 1, &late, 0, 0, 0));
  std::thread other([&] {
    wait_until([&] { return queue.info().waiters == 1; });
    ASSERT_EQ(0, kev_add_timer(q, 2, &soon, 0, 0, 0));
  });
  Stopwatch watch;
  auto events = queue.wait(30 * kSecond);
  EXPECT_LT(watch.elapsed(), 5 * kSecond);
  ASSERT_EQ(1u, events.size());
  EXPECT_EQ(2u, events[0].ident);
  other.join();
}

TEST_P(SourceTimerTest, ArmingAndCancellingMakeNoSystemCallWhenNobodySleeps) {
  if (GetParam().outside) GTEST_SKIP() << "kev_fd() is somebody who waits";
  kev_deadline first = from_now(60 * kSecond);
  unsigned before = queue.info().descriptors;
  for (unsigned i = 0; i < 1000; ++i) {
    ASSERT_EQ(0, kev_add_timer(q, i, &first, 0, 0, 0));
    if (i % 2 == 0) {
      ASSERT_EQ(0, kev_delete(q, KEV_SOURCE_TIMER, i));
    }
  }
  EXPECT_EQ(before, queue.info().descriptors);
  EXPECT_EQ(0u, queue.info().kernel_waits);
}

TEST_P(SourceTimerTest, ManyExpireEachOnceInTheOrderOfTheirTicks) {
  constexpr unsigned kMany = 2000;
  for (unsigned i = 0; i < kMany; ++i) {
    kev_deadline first = from_now((i * 7919 % kMany) * 10'000);
    ASSERT_EQ(0, kev_add_timer(q, i, &first, 0, KEV_ONESHOT, 0));
  }
  std::vector<int> times(kMany);
  unsigned count = 0;
  while (count < kMany) {
    auto events = queue.wait(kLong, 50);
    ASSERT_FALSE(events.empty());
    for (const kev_event& event : events) ++times[event.ident], ++count;
  }
  for (int n : times) EXPECT_EQ(1, n);
  EXPECT_EQ(0u, queue.info().registrations);
}

TEST_P(SourceTimerTest, TellsThatTheClockWasSet) {
  ASSERT_EQ(0, kev_add_timer(q, 1, nullptr, 0, KEV_NOTICE_CLOCK_SET, 0));
  kev_deadline first = {now_ns(CLOCK_REALTIME) + 60 * kSecond, 0, CLOCK_REALTIME, KEV_ABS};
  ASSERT_EQ(0, kev_add_timer(q, 2, &first, 0, 0, 0));
  EXPECT_EQ(0u, queue.wait().size());
  {
    kev::queue::Locked locked(q->lock);  // the kernel's notice: tests leave the machine's clock alone
    kev::queue::note_clock_set(*q);
  }
  auto events = queue.wait();
  ASSERT_EQ(1u, events.size());
  EXPECT_EQ(KEV_CLOCK_SET, events[0].what);
  EXPECT_EQ(0, events[0].result);
  EXPECT_EQ(1u, events[0].ident);
}

}  // namespace
