// Many threads at one queue: one is woken for one event, none is forgotten, and all where all are meant.
#include <kev/kev.h>

#include <gtest/gtest.h>

#include <atomic>

#include "support/native_queue.hpp"

namespace {

using namespace native;

class Waiters {
 public:
  // Each waits once and says what came of it.
  Waiters(kev_queue* queue, unsigned count) {
    for (unsigned i = 0; i < count; ++i)
      threads_.emplace_back([this, queue] {
        kev_event event;
        int result = kev_wait(queue, &event, 1, 1, nullptr, nullptr);
        if (result == 1) ++took;
        if (result == 0) ++empty;
        ++back;
      });
  }
  ~Waiters() { join(); }
  void join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  std::atomic<unsigned> took{0}, empty{0}, back{0};

 private:
  std::vector<std::thread> threads_;
};

class SeveralWaitersTest : public ::testing::Test {
 protected:
  static constexpr unsigned kWaiters = 8;
  void all_asleep(unsigned count = kWaiters) {
    wait_until([&] { return queue.info().waiters == count; });
  }
  // Time for others to wake up, if they should not.
  static void settle() { sleep_ns(30 * kMillisecond); }

  Queue queue;
  kev_queue* q = queue.get();
};

TEST_F(SeveralWaitersTest, APostWakesOne) {
  ASSERT_EQ(0, kev_add_user(q, 1, 0, 0));
  Waiters waiters(q, kWaiters);
  for (unsigned i = 1; i <= kWaiters; ++i) {
    all_asleep(kWaiters - i + 1);
    std::uint64_t before = queue.info().sleeps;
    ASSERT_EQ(0, kev_post(q, 1, 0, nullptr));
    wait_until([&] { return waiters.took == i; });
    settle();
    EXPECT_EQ(i, waiters.back);
    EXPECT_EQ(before, queue.info().sleeps) << "somebody woke up for nothing";
  }
}

TEST_F(SeveralWaitersTest, ADescriptorWakesOne) {
  Pipe pipe = make_pipe();
  ASSERT_EQ(0, kev_add_fd(q, pipe.in.get(), KEV_IN, 0, 0));
  Waiters waiters(q, kWaiters);
  all_asleep();
  std::uint64_t before = queue.info().sleeps;
  put(pipe.out.get());
  wait_until([&] { return waiters.took == 1; });
  settle();
  EXPECT_EQ(1u, waiters.back);
  EXPECT_EQ(before, queue.info().sleeps);
  EXPECT_EQ(0, kev_shutdown(q));
}

TEST_F(SeveralWaitersTest, SeveralPostsAtOnceWakeAsMany) {
  ASSERT_EQ(0, kev_add_user(q, 1, 0, 0));
  Waiters waiters(q, kWaiters);
  all_asleep();
  for (int i = 0; i < 5; ++i) ASSERT_EQ(0, kev_post(q, 1, i, nullptr));
  wait_until([&] { return waiters.took == 5; });
  settle();
  EXPECT_EQ(5u, waiters.back);
  EXPECT_EQ(0, kev_shutdown(q));
}

TEST_F(SeveralWaitersTest, ManyReadyDescriptorsAreSharedOut) {
  std::vector<Descriptor> events;
  for (unsigned i = 0; i < kWaiters; ++i) {
    events.push_back(make_event());
    ASSERT_EQ(0, kev_add_fd(q, events.back().get(), KEV_IN, KEV_ONESHOT, i));
  }
  Waiters waiters(q, kWaiters);
  all_asleep();
  for (Descriptor& event : events) add_to_event(event.get());
  wait_until([&] { return waiters.took == kWaiters; });
}

TEST_F(SeveralWaitersTest, WakeAllWakesAll) {
  ASSERT_EQ(0, kev_add_user(q, 1, KEV_WAKE_ALL, 0));
  Waiters waiters(q, kWaiters);
  all_asleep();
  ASSERT_EQ(0, kev_post(q, 1, 0, nullptr));
  waiters.join();
  EXPECT_EQ(1u, waiters.took);
  EXPECT_EQ(kWaiters - 1, waiters.empty);
}

TEST_F(SeveralWaitersTest, WakeWakesAsManyAsItIsAskedTo) {
  Waiters waiters(q, kWaiters);
  all_asleep();
  EXPECT_EQ(0, kev_wake(q, 3));
  wait_until([&] { return waiters.empty == 3; });
  settle();
  EXPECT_EQ(3u, waiters.back);
  EXPECT_EQ(0, kev_shutdown(q));
}

TEST_F(SeveralWaitersTest, ATimerIsSeenToThoughWhoWouldHaveHasLeft) {
  ASSERT_EQ(0, kev_add_user(q, 1, 0, 0));
  kev_deadline first = from_now(100 * kMillisecond);
  ASSERT_EQ(0, kev_add_timer(q, 1, &first, 0, 0, 0));
  Waiters waiters(q, 3);
  all_asleep(3);
  ASSERT_EQ(0, kev_post(q, 1, 0, nullptr));
  ASSERT_EQ(0, kev_post(q, 1, 0, nullptr));
  wait_until([&] { return waiters.took == 2; });
  wait_until([&] { return waiters.took == 3; });
}

TEST_F(SeveralWaitersTest, WorkersTakeEachPostOnce) {
  ASSERT_EQ(0, kev_add_user(q, 1, 0, 0));
  constexpr std::int64_t kPosts = 60'000;
  std::atomic<std::int64_t> sum{0}, count{0};
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i)
    workers.emplace_back([&, i] {
      for (;;) {
        if (i % 2 == 0) {
          kev_event events[5];
          int n = kev_wait(q, events, 1, 5, nullptr, nullptr);
          if (n < 0) return;
          for (int k = 0; k < n; ++k) sum += events[k].result;
          count += n;
          continue;
        }
        std::uint64_t seen = kev_index(q);
        kev_claim claim;
        while (kev_claim_events(q, 3, &claim) > 0) {
          unsigned keep = claim.count - (claim.events[0].result % 5 == 0 ? 1 : 0);
          for (unsigned k = 0; k < keep; ++k) sum += claim.events[k].result;
          count += keep;
          kev_unclaim(q, &claim, keep);
        }
        if (kev_sleep(q, seen, nullptr, nullptr) < 0) return;
      }
    });
  std::vector<std::thread> posters;
  for (int i = 0; i < 2; ++i)
    posters.emplace_back([&, i] {
      for (std::int64_t n = i; n < kPosts; n += 2)
        while (kev_post(q, 1, n, nullptr) == -EAGAIN) std::this_thread::yield();
    });
  for (std::thread& poster : posters) poster.join();
  wait_until([&] { return count == kPosts; });
  EXPECT_EQ(0, kev_shutdown(q));
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(kPosts * (kPosts - 1) / 2, sum);
}

}  // namespace
