// Events of the program's own: queued, added up, bounded, from handlers and other threads.
#include <kev/kev.h>

#include <gtest/gtest.h>

#include <atomic>

#include "support/native_queue.hpp"
#include "support/signals.hpp"

namespace {

using namespace native;

class SourceUserTest : public FormTest {};
KEV_FORMS(SourceUserTest);

TEST_P(SourceUserTest, DeliversWhatWasPostedInOrder) {
  ASSERT_EQ(0, kev_add_user(q, 1, 0, 11));
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t data[3] = {1, 2, static_cast<std::uint64_t>(i)};
    ASSERT_EQ(0, kev_post(q, 1, -i, data));
  }
  auto events = queue.wait();
  ASSERT_EQ(3u, events.size());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(-i, events[i].result);
    EXPECT_EQ(static_cast<std::uint64_t>(i), events[i].data[2]);
    EXPECT_EQ(11u, events[i].udata);
    EXPECT_EQ(KEV_POSTED, events[i].what);
    EXPECT_EQ(KEV_SOURCE_USER, events[i].source);
  }
}

TEST_P(SourceUserTest, IsBoundedByTheRing) {
  Queue small(GetParam().flags, 2, GetParam().outside);
  ASSERT_EQ(0, kev_add_user(small.get(), 1, 0, 0));
  EXPECT_EQ(0, kev_post(small.get(), 1, 1, nullptr));
  EXPECT_EQ(0, kev_post(small.get(), 1, 2, nullptr));
  EXPECT_EQ(-EAGAIN, kev_post(small.get(), 1, 3, nullptr));
  EXPECT_EQ(2u, small.wait().size());
  EXPECT_EQ(0, kev_post(small.get(), 1, 3, nullptr));
  EXPECT_EQ(1u, small.wait().size());
}

TEST_P(SourceUserTest, AddsUpPostsThatWereNotDelivered) {
  Queue small(GetParam().flags, 2, GetParam().outside);
  ASSERT_EQ(0, kev_add_user(small.get(), 1, KEV_COALESCE, 0));
  for (int i = 1; i <= 100; ++i) ASSERT_EQ(0, kev_post(small.get(), 1, i, nullptr));
  auto events = small.wait();
  ASSERT_EQ(1u, events.size());
  EXPECT_EQ(5050, events[0].result);
  EXPECT_EQ(0u, small.wait().size());
  const std::uint64_t data[3] = {1, 0, 0};
  EXPECT_EQ(-EINVAL, kev_post(small.get(), 1, 1, data));
  EXPECT_EQ(-EINVAL, kev_post(small.get(), 1, 0, nullptr));
  EXPECT_EQ(-EINVAL, kev_post(small.get(), 1, std::int64_t{1} << 31, nullptr));
}

TEST_P(SourceUserTest, FindsRoomLaterForWhatWasAddedUp) {
  Queue small(GetParam().flags, 2, GetParam().outside);
  for (unsigned i = 0; i < 10; ++i) ASSERT_EQ(0, kev_add_user(small.get(), i, KEV_COALESCE, i));
  for (unsigned i = 0; i < 10; ++i) ASSERT_EQ(0, kev_post(small.get(), i, 1, nullptr));
  unsigned count = 0;
  for (;;) {
    auto events = small.wait();
    if (events.empty()) break;
    for (const kev_event& event : events) EXPECT_EQ(count++, event.udata);
  }
  EXPECT_EQ(10u, count);
}

TEST_P(SourceUserTest, RefusesPostsWhileDisabled) {
  ASSERT_EQ(0, kev_add_user(q, 1, 0, 0));
  EXPECT_EQ(0, kev_post(q, 1, 1, nullptr));
  EXPECT_EQ(0, queue.change(KEV_DISABLE, KEV_SOURCE_USER, 1));
  EXPECT_EQ(-EAGAIN, kev_post(q, 1, 2, nullptr));
  EXPECT_EQ(1u, queue.wait().size()) << "what stood is delivered";
  EXPECT_EQ(0, queue.change(KEV_ENABLE, KEV_SOURCE_USER, 1));
  EXPECT_EQ(0, kev_post(q, 1, 3, nullptr));
  EXPECT_EQ(1u, queue.wait().size());
}

TEST_P(SourceUserTest, DispatchTakesOnePostAndOneshotIsDelivered) {
  ASSERT_EQ(0, kev_add_user(q, 1, KEV_DISPATCH, 0));
  EXPECT_EQ(0, kev_post(q, 1, 1, nullptr));
  EXPECT_EQ(-EAGAIN, kev_post(q, 1, 2, nullptr));
  EXPECT_EQ(1u, queue.wait().size());
  ASSERT_EQ(0, kev_add_user(q, 2, KEV_ONESHOT, 0));
  EXPECT_EQ(0, kev_post(q, 2, 1, nullptr));
  EXPECT_EQ(0, kev_post(q, 2, 2, nullptr));
  auto events = queue.wait();
  ASSERT_EQ(1u, events.size());
  EXPECT_EQ(KEV_E_LAST, events[0].flags);
  EXPECT_EQ(0u, queue.wait().size());
  EXPECT_EQ(-ENOENT, kev_post(q, 2, 3, nullptr));
}

kev_queue* handled_queue;
void post_from_handler(int) {
  kev_post(handled_queue, 1, 1, nullptr);
  kev_post(handled_queue, 2, 1, nullptr);
}

TEST_P(SourceUserTest, CanBePostedByAHandlerThatInterruptsTheQueue) {
  ASSERT_EQ(0, kev_add_user(q, 1, 0, 0));
  ASSERT_EQ(0, kev_add_user(q, 2, KEV_COALESCE, 0));
  handled_queue = q;
  Handler handler(SIGALRM, post_from_handler);
  itimerval timer{{0, 200}, {0, 200}};
  ::setitimer(ITIMER_REAL, &timer, nullptr);
  std::uint64_t taken = 0;
  for (Stopwatch watch; watch.elapsed() < 200 * kMillisecond;) {
    taken += queue.wait(0, 8).size();
    for (unsigned i = 10; i < 20; ++i) kev_add_user(q, i, 0, 0);
    for (unsigned i = 10; i < 20; ++i) kev_delete(q, KEV_SOURCE_USER, i);
  }
  RepeatedAlarm::stop();
  EXPECT_LT(10u, taken);
}

TEST_P(SourceUserTest, AMillionGoThroughARingOfTwo) {
  Queue small(GetParam().flags, 2);
  ASSERT_EQ(0, kev_add_user(small.get(), 1, 0, 0));
  std::int64_t posted = 0, taken = 0;
  kev_event events[2];
  while (taken < 1'000'000) {
    while (kev_post(small.get(), 1, posted, nullptr) == 0) ++posted;
    ASSERT_EQ(taken + 2, posted);
    int count = kev_wait(small.get(), events, 1, 2, nullptr, nullptr);
    ASSERT_LT(0, count);
    for (int i = 0; i < count; ++i) ASSERT_EQ(taken++, events[i].result);
  }
}

TEST_P(SourceUserTest, LosesNothingBetweenThreadsWithARingOfTwo) {
  Queue small(GetParam().flags, 2, GetParam().outside);
  constexpr std::int64_t kEach = 20'000;
  ASSERT_EQ(0, kev_add_user(small.get(), 0, 0, 0));
  ASSERT_EQ(0, kev_add_user(small.get(), 1, 0, 0));
  std::vector<std::thread> posters;
  for (std::uint64_t id : {0u, 1u})
    posters.emplace_back([&small, id] {
      for (std::int64_t i = 0; i < kEach; ++i) {
        int error;
        while ((error = kev_post(small.get(), id, i, nullptr)) == -EAGAIN) std::this_thread::yield();
        ASSERT_EQ(0, error);
      }
    });
  std::int64_t next[2] = {0, 0};
  while (next[0] < kEach || next[1] < kEach) {
    auto events = small.wait(10 * kSecond, 8);
    ASSERT_FALSE(events.empty()) << "lost after " << next[0] << " and " << next[1];
    for (const kev_event& event : events) ASSERT_EQ(next[event.ident]++, event.result);
  }
  for (std::thread& poster : posters) poster.join();
}

TEST_P(SourceUserTest, SumsAddedUpByThreadsAreComplete) {
  ASSERT_EQ(0, kev_add_user(q, 1, KEV_COALESCE, 0));
  constexpr int kThreads = 3, kEach = 100'000;
  std::vector<std::thread> posters;
  for (int i = 0; i < kThreads; ++i)
    posters.emplace_back([this] {
      for (int n = 0; n < kEach; ++n) ASSERT_EQ(0, kev_post(q, 1, 1, nullptr));
    });
  std::int64_t sum = 0;
  while (sum < kThreads * kEach) {
    auto events = queue.wait(10 * kSecond);
    ASSERT_FALSE(events.empty()) << sum;
    for (const kev_event& event : events) sum += event.result;
  }
  EXPECT_EQ(kThreads * kEach, sum);
  for (std::thread& poster : posters) poster.join();
}

}  // namespace
