// A waiter that is cancelled takes nothing with it: no event, no wake-up; without the preload object.
#include <kev/kev.h>

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>

#include "support/native_queue.hpp"

namespace {

using namespace native;

class QueueCancelTest : public FormTest {
 protected:
  struct Taker {
    kev_queue* queue;
    std::atomic<std::int64_t>* taken;
    std::atomic<bool> cleaned{false};
  };
  static void note(void* taker) { static_cast<Taker*>(taker)->cleaned = true; }
  // Counts what it takes, until it is cancelled.
  static void* take(void* argument) {
    auto* taker = static_cast<Taker*>(argument);
    pthread_cleanup_push(note, taker);
    for (;;) {
      kev_event events[4];
      int count = kev_wait(taker->queue, events, 1, 4, nullptr, nullptr);
      if (count < 0) break;
      taker->taken->fetch_add(count);
    }
    pthread_cleanup_pop(1);
    return nullptr;
  }
  static bool cancel_and_join(pthread_t thread) {
    ::pthread_cancel(thread);
    void* result = nullptr;
    ::pthread_join(thread, &result);
    return result == PTHREAD_CANCELED;
  }
};
KEV_FORMS(QueueCancelTest);

TEST_P(QueueCancelTest, ASleeperIsCancelledAndItsHandlersRun) {
  std::atomic<std::int64_t> taken{0};
  Taker taker{q, &taken};
  pthread_t thread;
  ASSERT_EQ(0, ::pthread_create(&thread, nullptr, take, &taker));
  wait_until([&] { return queue.info().waiters == 1; });
  EXPECT_TRUE(cancel_and_join(thread));
  EXPECT_TRUE(taker.cleaned);
  EXPECT_EQ(0u, queue.info().waiters);
}

TEST_P(QueueCancelTest, ARequestIsActedOnAtEntryWithNothingTaken) {
  ASSERT_EQ(0, kev_add_user(q, 1, 0, 0));
  ASSERT_EQ(0, kev_post(q, 1, 0, nullptr));
  pthread_t thread;
  ASSERT_EQ(0, ::pthread_create(
                   &thread, nullptr,
                   [](void* argument) -> void* {
                     ::pthread_cancel(::pthread_self());
                     kev_event event;
                     kev_wait(static_cast<kev_queue*>(argument), &event, 0, 1, nullptr, nullptr);
                     return nullptr;
                   },
                   q));
  void* result;
  ::pthread_join(thread, &result);
  EXPECT_EQ(PTHREAD_CANCELED, result);
  EXPECT_EQ(1u, queue.wait().size());
}

TEST_P(QueueCancelTest, LosesNoEventOfAnySourceToACancellation) {
  // One-shot and edge-triggered events, posts and wake-ups race with the request; all are taken, by the cancelled thread
  // before or by this one after.
  constexpr int kRounds = 400;
  ASSERT_EQ(0, kev_add_user(q, 1, 0, 0));
  Descriptor edge = make_event(), once = make_event();
  ASSERT_EQ(0, kev_add_fd(q, edge.get(), KEV_IN, KEV_EDGE, 0));
  for (int round = 0; round < kRounds; ++round) {
    std::atomic<std::int64_t> taken{0};
    ASSERT_EQ(0, kev_add_fd(q, once.get(), KEV_IN, KEV_ONESHOT, 0));
    Taker taker{q, &taken};
    pthread_t thread;
    ASSERT_EQ(0, ::pthread_create(&thread, nullptr, take, &taker));
    if (round % 4 != 0) wait_until([&] { return queue.info().waiters == 1; });
    switch (round % 3) {
      case 0: add_to_event(once.get()); break;
      case 1: add_to_event(edge.get()); break;
      default: ASSERT_EQ(0, kev_post(q, 1, 0, nullptr)); break;
    }
    ASSERT_TRUE(cancel_and_join(thread));
    if (taken == 0) {
      ASSERT_EQ(1u, queue.wait(10 * kSecond).size()) << "lost in round " << round;
    }
    if (round % 3 == 0) {
      drain(once.get());
    } else {
      ASSERT_EQ(0, kev_delete(q, KEV_SOURCE_FD, static_cast<std::uint64_t>(once.get())));
    }
    // The end of the thread whose ring it was may have the edge told twice.
    if ((GetParam().flags & KEV_Q_URING) != 0) drain(edge.get());
    ASSERT_EQ(0u, queue.wait().size());
  }
}

TEST(QueueCancelOthersTest, AWakeUpThatACancelledThreadSwallowedGoesToAnother) {
  Queue queue;
  kev_queue* q = queue.get();
  ASSERT_EQ(0, kev_add_user(q, 1, 0, 0));
  Descriptor event = make_event();
  ASSERT_EQ(0, kev_add_fd(q, event.get(), KEV_IN, KEV_EDGE, 0));
  for (int round = 0; round < 300; ++round) {
    std::atomic<int> taken{0};
    struct Arguments {
      kev_queue* queue;
      std::atomic<int>* taken;
    } arguments{q, &taken};
    auto body = [](void* argument) -> void* {
      auto* with = static_cast<Arguments*>(argument);
      kev_event one;
      if (kev_wait(with->queue, &one, 1, 1, nullptr, nullptr) == 1) ++*with->taken;
      return nullptr;
    };
    pthread_t threads[2];
    for (pthread_t& thread : threads) ASSERT_EQ(0, ::pthread_create(&thread, nullptr, body, &arguments));
    wait_until([&] { return queue.info().waiters == 2; });
    if (round % 2 == 0) {
      ASSERT_EQ(0, kev_post(q, 1, 0, nullptr));
    } else {
      add_to_event(event.get());
    }
    ::pthread_cancel(threads[0]);
    ::pthread_join(threads[0], nullptr);
    // If the cancelled one has not taken it, the other does.
    wait_until([&] { return taken == 1; });
    ::pthread_cancel(threads[1]);
    ::pthread_join(threads[1], nullptr);
  }
}

TEST(QueueCancelOthersTest, ACancelledThreadsClaimIsGivenBack) {
  Queue queue;
  kev_queue* q = queue.get();
  ASSERT_EQ(0, kev_add_user(q, 1, 0, 0));
  ASSERT_EQ(0, kev_post(q, 1, 5, nullptr));
  pthread_t thread;
  ASSERT_EQ(0, ::pthread_create(
                   &thread, nullptr,
                   [](void* argument) -> void* {
                     auto* on = static_cast<kev_queue*>(argument);
                     kev_claim claim;
                     EXPECT_EQ(1, kev_claim_events(on, 1, &claim));
                     for (;;) kev_sleep(on, kev_index(on), nullptr, nullptr);
                   },
                   q));
  wait_until([&] { return queue.info().waiters == 1; });
  ::pthread_cancel(thread);
  ::pthread_join(thread, nullptr);
  auto events = queue.wait();
  ASSERT_EQ(1u, events.size());
  EXPECT_EQ(5, events[0].result);
}

}  // namespace
