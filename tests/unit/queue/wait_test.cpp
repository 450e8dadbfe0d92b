// Waiting: how many, until when, who is woken; kev_wait(3).
#include <kev/kev.h>

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>

#include "queue/queue.hpp"
#include "support/native_queue.hpp"
#include "support/signals.hpp"

namespace {

using namespace native;

std::atomic<int> handled{0};
void count_signal(int) { ++handled; }

class WaitTest : public FormTest {
 protected:
  bool readable() {
    pollfd look = {kev_fd(q), POLLIN, 0};
    return ::poll(&look, 1, 0) == 1;
  }
};
KEV_FORMS(WaitTest);

TEST_P(WaitTest, RefusesWhatIsNoWait) {
  kev_event event;
  EXPECT_EQ(-EINVAL, kev_wait(q, nullptr, 1, 1, nullptr, nullptr));
  EXPECT_EQ(-EINVAL, kev_wait(q, &event, 0, 0, nullptr, nullptr));
  const kev_deadline wrong[] = {{0, 0, 77, 0}, {0, 0, CLOCK_MONOTONIC, 4}, {-1, 0, CLOCK_MONOTONIC, KEV_ABS}};
  for (const kev_deadline& deadline : wrong) {
    EXPECT_EQ(-EINVAL, kev_wait(q, &event, 1, 1, &deadline, nullptr));
    EXPECT_EQ(-EINVAL, kev_sleep(q, 0, &deadline, nullptr));
  }
}

TEST_P(WaitTest, NeverComesBackBeforeTheDeadline) {
  for (std::int64_t ns : {std::int64_t{1}, kMillisecond / 3, 3 * kMillisecond + 1, 20 * kMillisecond}) {
    Stopwatch watch;
    EXPECT_EQ(0u, queue.wait(ns).size());
    EXPECT_TRUE(watch.in_time(ns));
  }
  kev_event event;
  for (clockid_t clock : {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME}) {
    kev_deadline deadline = {now_ns(clock) + 3 * kMillisecond, 0, clock, KEV_ABS};
    EXPECT_EQ(0, kev_wait(q, &event, 1, 1, &deadline, nullptr));
    EXPECT_LE(deadline.ns, now_ns(clock));
    deadline.ns = 1;
    EXPECT_EQ(0, kev_wait(q, &event, 1, 1, &deadline, nullptr));
    deadline = {kMillisecond, 0, clock, 0};
    EXPECT_EQ(0, kev_sleep(q, kev_index(q), &deadline, nullptr));
  }
}

TEST_P(WaitTest, WithAMinimumOfNoneItDoesNotSleep) {
  kev_event event;
  Stopwatch watch;
  EXPECT_EQ(0, kev_wait(q, &event, 0, 1, nullptr, nullptr));
  EXPECT_TRUE(watch.prompt());
}

TEST_P(WaitTest, WaitsForAMinimumAndTakesWhatThereIsAtTheDeadline) {
  ASSERT_EQ(0, kev_add_user(q, 1, 0, 0));
  ASSERT_EQ(0, kev_post(q, 1, 1, nullptr));
  Stopwatch watch;
  EXPECT_EQ(1u, queue.wait(5 * kMillisecond, 8, 3).size());
  EXPECT_LE(5 * kMillisecond, watch.elapsed());
  std::thread poster([&] {
    for (int i = 0; i < 3; ++i) {
      sleep_ns(2 * kMillisecond);
      ASSERT_EQ(0, kev_post(q, 1, i, nullptr));
    }
  });
  EXPECT_EQ(3u, queue.wait(10 * kSecond, 8, 3).size());
  poster.join();
}

TEST_P(WaitTest, AMinimumDoesNotSpinOnWhatStandsAlready) {
  Descriptor event = make_event(1);
  ASSERT_EQ(0, kev_add_fd(q, event.get(), KEV_IN, 0, 0));
  std::int64_t before = now_ns(CLOCK_THREAD_CPUTIME_ID);
  EXPECT_EQ(1u, queue.wait(100 * kMillisecond, 8, 2).size());
  EXPECT_GT(30 * kMillisecond, now_ns(CLOCK_THREAD_CPUTIME_ID) - before);
}

TEST_P(WaitTest, WhatWasDeletedDoesNotKeepASleeperAwake) {
  ASSERT_EQ(0, kev_add_user(q, 1, 0, 0));
  ASSERT_EQ(0, kev_add_user(q, 2, 0, 0));
  ASSERT_EQ(0, kev_post(q, 2, 0, nullptr));
  ASSERT_EQ(0, kev_post(q, 1, 0, nullptr));
  ASSERT_EQ(0, kev_post(q, 1, 0, nullptr));
  ASSERT_EQ(0, kev_delete(q, KEV_SOURCE_USER, 1));
  std::int64_t before = now_ns(CLOCK_THREAD_CPUTIME_ID);
  EXPECT_EQ(1u, queue.wait(50 * kMillisecond, 8, 2).size());
  ASSERT_EQ(0, kev_add_user(q, 1, 0, 0));
  ASSERT_EQ(0, kev_post(q, 1, 0, nullptr));
  ASSERT_EQ(0, kev_delete(q, KEV_SOURCE_USER, 1));
  kev_deadline deadline = from_now(50 * kMillisecond);
  EXPECT_EQ(0, kev_sleep(q, kev_index(q), &deadline, nullptr));
  EXPECT_GT(30 * kMillisecond, now_ns(CLOCK_THREAD_CPUTIME_ID) - before);
}

TEST_P(WaitTest, AMinimumBeyondTheRingIsTheRing) {
  Queue small(GetParam().flags, 2, GetParam().outside);
  ASSERT_EQ(0, kev_add_user(small.get(), 1, 0, 0));
  ASSERT_EQ(0, kev_post(small.get(), 1, 1, nullptr));
  ASSERT_EQ(0, kev_post(small.get(), 1, 2, nullptr));
  EXPECT_EQ(2u, small.wait(10 * kSecond, 8, 8).size());
}

TEST_P(WaitTest, MakesNoSystemCallForWhatStandsInTheRing) {
  if (GetParam().outside) GTEST_SKIP() << "kev_fd() has a descriptor to keep";
  ASSERT_EQ(0, kev_add_user(q, 1, 0, 0));
  for (int i = 0; i < 60; ++i) {
    ASSERT_EQ(0, kev_post(q, 1, i, nullptr));
    ASSERT_EQ(1u, queue.wait(kSecond).size());
  }
  EXPECT_EQ(0u, queue.info().kernel_waits);
  EXPECT_EQ(0u, queue.info().sleeps);
}

TEST_P(WaitTest, LooksAtTheKernelNowAndThenThoughTheRingIsNeverEmpty) {
  Descriptor event = make_event(1);
  ASSERT_EQ(0, kev_add_fd(q, event.get(), KEV_IN, 0, 1));
  ASSERT_EQ(0, kev_add_user(q, 1, 0, 0));
  bool found = false;
  ASSERT_EQ(0, kev_post(q, 1, 0, nullptr));
  for (int i = 0; i < 1000 && !found; ++i) {
    ASSERT_EQ(0, kev_post(q, 1, i, nullptr));
    for (const kev_event& one : queue.wait(0, 1)) found |= one.source == KEV_SOURCE_FD;
  }
  EXPECT_TRUE(found);
}

TEST_P(WaitTest, APostWakesASleeper) {
  ASSERT_EQ(0, kev_add_user(q, 1, 0, 0));
  for (int i = 0; i < 20; ++i) {
    std::thread poster([&] {
      wait_until([&] { return queue.info().waiters == 1; });
      ASSERT_EQ(0, kev_post(q, 1, i, nullptr));
    });
    auto events = queue.wait(10 * kSecond);
    poster.join();
    ASSERT_EQ(1u, events.size());
  }
}

TEST_P(WaitTest, WakeLetsPresentAndNextWaitsReturn) {
  kev_event event;
  EXPECT_EQ(0, kev_wake(q, 2));
  EXPECT_EQ(0, kev_wait(q, &event, 1, 1, nullptr, nullptr));
  EXPECT_EQ(0, kev_sleep(q, kev_index(q), nullptr, nullptr));
  std::thread waker([&] {
    wait_until([&] { return queue.info().waiters == 1; });
    EXPECT_EQ(0, kev_wake(q, 1));
  });
  EXPECT_EQ(0, kev_wait(q, &event, 1, 1, nullptr, nullptr));
  waker.join();
}

TEST_P(WaitTest, SleepReturnsForWhatCameSinceTheIndexWasRead) {
  ASSERT_EQ(0, kev_add_user(q, 1, 0, 0));
  std::uint64_t seen = kev_index(q);
  ASSERT_EQ(0, kev_post(q, 1, 0, nullptr));
  EXPECT_EQ(1u, queue.wait().size());
  EXPECT_EQ(1, kev_sleep(q, seen, nullptr, nullptr)) << "the index has moved";
  kev_deadline deadline = from_now(kMillisecond);
  EXPECT_EQ(0, kev_sleep(q, kev_index(q), &deadline, nullptr));
}

TEST_P(WaitTest, IsInterruptedByAHandlerThatTheMaskLetsIn) {
  Handler handler(SIGALRM, count_signal);
  Blocked blocked(SIGALRM);
  handled = 0;
  const sigset_t none = empty_set();
  kev_event event;
  std::thread raiser([&, thread = ::pthread_self()] {
    wait_until([&] { return queue.info().waiters == 1; });
    ::pthread_kill(thread, SIGALRM);
  });
  EXPECT_EQ(-EINTR, kev_wait(q, &event, 1, 1, nullptr, &none));
  EXPECT_EQ(1, handled);
  raiser.join();
  ::pthread_kill(::pthread_self(), SIGALRM);
  EXPECT_EQ(0u, queue.wait(2 * kMillisecond).size()) << "blocked: it does not end a wait";
  EXPECT_EQ(1, handled);
}

TEST_P(WaitTest, EndsWhenTheClockIsSetIfItIsToldTo) {
  kev_event event;
  std::thread setter([&] {
    wait_until([&] { return queue.info().waiters == 1; });
    {
      kev::queue::Locked locked(q->lock);
      kev::queue::note_clock_set(*q);
    }
    q->bell.notify();
  });
  kev_deadline deadline = {30 * kSecond, 0, CLOCK_MONOTONIC, KEV_END_ON_CLOCK_SET};
  EXPECT_EQ(-ECANCELED, kev_wait(q, &event, 1, 1, &deadline, nullptr));
  setter.join();
}

TEST_P(WaitTest, ItsDescriptorIsReadableExactlyWhileSomethingStands) {
  EXPECT_FALSE(readable());
  ASSERT_EQ(0, kev_add_user(q, 1, 0, 0));
  ASSERT_EQ(0, kev_post(q, 1, 0, nullptr));
  ASSERT_EQ(0, kev_post(q, 1, 0, nullptr));
  EXPECT_TRUE(readable());
  EXPECT_EQ(1u, queue.wait(0, 1).size());
  EXPECT_TRUE(readable());
  EXPECT_EQ(1u, queue.wait(0, 1).size());
  EXPECT_FALSE(readable());
  ASSERT_EQ(0, kev_post(q, 1, 0, nullptr));
  EXPECT_TRUE(readable());
  EXPECT_EQ(0, kev_delete(q, KEV_SOURCE_USER, 1));
  EXPECT_FALSE(readable());

  Descriptor event = make_event(1);
  ASSERT_EQ(0, kev_add_fd(q, event.get(), KEV_IN, 0, 0));
  EXPECT_TRUE(readable());
  EXPECT_EQ(1u, queue.wait().size());
  EXPECT_TRUE(readable());
  drain(event.get());
  EXPECT_FALSE(readable());

  kev_deadline first = from_now(2 * kMillisecond);
  ASSERT_EQ(0, kev_add_timer(q, 1, &first, 0, 0, 0));
  EXPECT_FALSE(readable());
  wait_until([&] { return readable(); });
  EXPECT_EQ(1u, queue.wait().size());
  EXPECT_FALSE(readable());
  first = from_now(kMillisecond);
  ASSERT_EQ(0, kev_add_timer(q, 2, &first, 0, 0, 0));
  EXPECT_EQ(0, kev_delete(q, KEV_SOURCE_TIMER, 2));
  sleep_ns(3 * kMillisecond);
  EXPECT_FALSE(readable());
}

TEST_P(WaitTest, ItsDescriptorWakesAnotherLoopForAPost) {
  ASSERT_EQ(0, kev_add_user(q, 1, KEV_COALESCE, 0));
  pollfd look = {kev_fd(q), POLLIN, 0};
  std::thread poster([&] {
    sleep_ns(5 * kMillisecond);
    ASSERT_EQ(0, kev_post(q, 1, 1, nullptr));
  });
  EXPECT_EQ(1, ::poll(&look, 1, 10'000));
  poster.join();
  EXPECT_EQ(1u, queue.wait().size());
  EXPECT_FALSE(readable());
}

}  // namespace
