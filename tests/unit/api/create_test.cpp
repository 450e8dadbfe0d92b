// Making and ending queues, and what is no queue: kev_create(3).
#include <kev/kev.h>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "support/native_queue.hpp"
#include "support/open_descriptors.hpp"

namespace {

using native::Queue;

struct LargerAttr {
  kev_attr known;
  std::uint64_t more;
};

TEST(CreateTest, MakesAQueueWithoutAttributes) {
  kev_queue* queue = nullptr;
  ASSERT_EQ(0, kev_create(&queue, nullptr, 0));
  ASSERT_NE(nullptr, queue);
  EXPECT_EQ(0, kev_destroy(queue));
}

TEST(CreateTest, RefusesWhatIsNoAttribute) {
  kev_queue* queue;
  kev_attr attr = {};
  EXPECT_EQ(-EINVAL, kev_create(nullptr, nullptr, 0));
  EXPECT_EQ(-EINVAL, kev_create(&queue, nullptr, sizeof attr));
  EXPECT_EQ(-EINVAL, kev_create(&queue, &attr, 4));
  attr.flags = 1u << 31;
  EXPECT_EQ(-EINVAL, kev_create(&queue, &attr, sizeof attr));
  for (std::uint32_t entries : {1u, 3u, 100u, 131072u, ~0u}) {
    attr = {0, entries, {0, 0}};
    EXPECT_EQ(-EINVAL, kev_create(&queue, &attr, sizeof attr)) << entries;
  }
  attr = {0, 0, {0, 1}};
  EXPECT_EQ(-EINVAL, kev_create(&queue, &attr, sizeof attr));
  EXPECT_EQ(nullptr, queue);
}

TEST(CreateTest, TakesALargerAttributeIfItIsZeroThere) {
  kev_queue* queue;
  LargerAttr attr = {};
  ASSERT_EQ(0, kev_create(&queue, &attr.known, sizeof attr));
  EXPECT_EQ(0, kev_destroy(queue));
  attr.more = 1;
  EXPECT_EQ(-E2BIG, kev_create(&queue, &attr.known, sizeof attr));
}

TEST(CreateTest, TellsWhatItIs) {
  Queue queue(0, 512);
  kev_info info = queue.info();
  EXPECT_EQ(KEV_ENGINE_EPOLL, info.engine);
  EXPECT_EQ(512u, info.ring_entries);
  EXPECT_EQ(0u, info.registrations);
  struct {
    kev_info known;
    char more[8];
  } larger;
  std::memset(&larger, 0xff, sizeof larger);
  EXPECT_EQ(static_cast<int>(sizeof info), kev_query(queue.get(), &larger.known, sizeof larger));
  EXPECT_EQ(0, larger.more[7]);
  std::uint32_t engine = 0;
  EXPECT_EQ(static_cast<int>(sizeof info), kev_query(queue.get(), reinterpret_cast<kev_info*>(&engine), sizeof engine));
  EXPECT_EQ(KEV_ENGINE_EPOLL, engine);
  EXPECT_EQ(-EINVAL, kev_query(queue.get(), nullptr, sizeof info));
}

TEST(CreateTest, LeavesNoDescriptorBehind) {
  const auto before = unit::open_descriptors();
  for (std::uint32_t flags : {0u, KEV_Q_SINGLE}) {
    Queue queue(flags, 0, true);
    kev_deadline first = {1, 0, CLOCK_REALTIME, KEV_ABS};
    EXPECT_EQ(0, kev_add_timer(queue.get(), 1, &first, 0, 0, 0));
    EXPECT_EQ(0, kev_add_signal(queue.get(), SIGUSR1, 0, 0));
    std::uint32_t word = 0;
    EXPECT_EQ(0, kev_add_futex(queue.get(), &word, 0, 0, 0));
  }
  EXPECT_EQ(before, unit::open_descriptors());
}

TEST(CreateTest, EveryCallRefusesWhatIsNoQueue) {
  kev_queue* destroyed;
  ASSERT_EQ(0, kev_create(&destroyed, nullptr, 0));
  ASSERT_EQ(0, kev_destroy(destroyed));
  kev_event event;
  kev_claim claim = {};
  kev_change change = {};
  kev_info info;
  std::uint32_t word = 0;
  const std::pair<kev_queue*, int> cases[] = {{nullptr, -EINVAL}, {destroyed, -EBADF}};
  for (auto [queue, error] : cases) {
    EXPECT_EQ(error, kev_destroy(queue));
    EXPECT_EQ(error, kev_shutdown(queue));
    EXPECT_EQ(error, kev_query(queue, &info, sizeof info));
    EXPECT_EQ(error, kev_submit(queue, &change, 1));
    EXPECT_EQ(error, kev_add_fd(queue, 0, KEV_IN, 0, 0));
    EXPECT_EQ(error, kev_add_timer(queue, 0, nullptr, 0, 0, 0));
    EXPECT_EQ(error, kev_add_signal(queue, SIGUSR1, 0, 0));
    EXPECT_EQ(error, kev_add_process(queue, 0, 0, 0));
    EXPECT_EQ(error, kev_add_futex(queue, &word, 0, 0, 0));
    EXPECT_EQ(error, kev_add_user(queue, 0, 0, 0));
    EXPECT_EQ(error, kev_delete(queue, KEV_SOURCE_USER, 0));
    EXPECT_EQ(error, kev_close_fd(queue, -1));
    EXPECT_EQ(error, kev_post(queue, 0, 0, nullptr));
    EXPECT_EQ(error, kev_wake(queue, 1));
    EXPECT_EQ(error, kev_wait(queue, &event, 0, 1, nullptr, nullptr));
    EXPECT_EQ(error, kev_sleep(queue, 0, nullptr, nullptr));
    EXPECT_EQ(error, kev_claim_events(queue, 1, &claim));
    EXPECT_EQ(error, kev_detail(queue, &claim, 0, nullptr, 0));
    EXPECT_EQ(error, kev_commit(queue, &claim));
    EXPECT_EQ(error, kev_unclaim(queue, &claim, 0));
    EXPECT_EQ(error, kev_fd(queue));
    EXPECT_EQ(0u, kev_index(queue));
  }
}

TEST(CreateTest, RefusesToEndWhileAClaimStands) {
  Queue queue;
  kev_claim claim;
  ASSERT_EQ(0, kev_add_user(queue.get(), 1, 0, 0));
  ASSERT_EQ(0, kev_post(queue.get(), 1, 0, nullptr));
  ASSERT_EQ(1, kev_claim_events(queue.get(), 1, &claim));
  EXPECT_EQ(-EBUSY, kev_destroy(queue.get()));
  EXPECT_EQ(0, kev_commit(queue.get(), &claim));
}

TEST(CreateTest, RefusesToEndWhileAThreadWaits) {
  Queue queue;
  std::thread waiter([&] {
    kev_event event;
    EXPECT_EQ(-ESHUTDOWN, kev_wait(queue.get(), &event, 1, 1, nullptr, nullptr));
  });
  native::wait_until([&] { return queue.info().waiters == 1; });
  EXPECT_EQ(-EBUSY, kev_destroy(queue.get()));
  EXPECT_EQ(0, kev_shutdown(queue.get()));
  waiter.join();
}

TEST(CreateTest, ShutdownEndsAllWaitsAndLetsWhatStandsBeClaimed) {
  Queue queue;
  kev_queue* q = queue.get();
  ASSERT_EQ(0, kev_add_user(q, 1, 0, 0));
  std::vector<std::thread> waiters;
  for (int i = 0; i < 5; ++i)
    waiters.emplace_back([q] {
      kev_event event;
      EXPECT_EQ(-ESHUTDOWN, kev_wait(q, &event, 1, 1, nullptr, nullptr));
    });
  native::wait_until([&] { return queue.info().waiters == 5; });
  EXPECT_EQ(0, kev_shutdown(q));
  for (std::thread& waiter : waiters) waiter.join();
  kev_event event;
  EXPECT_EQ(-ESHUTDOWN, kev_wait(q, &event, 0, 1, nullptr, nullptr));
  EXPECT_EQ(-ESHUTDOWN, kev_sleep(q, 0, nullptr, nullptr));
  EXPECT_EQ(-ESHUTDOWN, kev_post(q, 1, 0, nullptr));
  EXPECT_EQ(-ESHUTDOWN, kev_add_user(q, 2, 0, 0));
}

TEST(CreateTest, AChildOfForkCanOnlyDestroyIt) {
  Queue queue;
  kev_queue* q = queue.get();
  ASSERT_EQ(0, kev_add_user(q, 1, 0, 0));
  ASSERT_EQ(0, kev_post(q, 1, 7, nullptr));
  pid_t child = ::fork();
  if (child == 0) {
    kev_event event;
    kev_claim claim;
    bool right = kev_post(q, 1, 0, nullptr) == -ECHILD && kev_wait(q, &event, 0, 1, nullptr, nullptr) == -ECHILD &&
                 kev_add_user(q, 2, 0, 0) == -ECHILD && kev_fd(q) == -ECHILD && kev_wake(q, 1) == -ECHILD &&
                 kev_claim_events(q, 1, &claim) == -ECHILD && kev_shutdown(q) == -ECHILD && kev_destroy(q) == 0 &&
                 kev_destroy(q) == -EBADF;
    // And it can have one of its own.
    kev_queue* own;
    right = right && kev_create(&own, nullptr, 0) == 0 && kev_add_user(own, 1, 0, 0) == 0 &&
            kev_post(own, 1, 3, nullptr) == 0 && kev_wait(own, &event, 1, 1, nullptr, nullptr) == 1 &&
            event.result == 3 && kev_destroy(own) == 0;
    ::_exit(right ? 0 : 1);
  }
  int status;
  ASSERT_EQ(child, ::waitpid(child, &status, 0));
  EXPECT_EQ(0, status);
  ASSERT_EQ(1u, queue.wait().size());
}

TEST(CreateTest, KnowsItsSourcesAndFlags) {
  EXPECT_EQ(1, kev_supports(KEV_SOURCE_FD, KEV_IN | KEV_OUT, KEV_EDGE | KEV_RECHECK));
  EXPECT_EQ(1, kev_supports(KEV_SOURCE_USER, KEV_POSTED, KEV_COALESCE));
  EXPECT_EQ(1, kev_supports(KEV_SOURCE_TIMER, KEV_EXPIRED, 0));
  EXPECT_EQ(0, kev_supports(KEV_SOURCE_USER, 0, KEV_EDGE));
  EXPECT_EQ(0, kev_supports(KEV_SOURCE_FD, KEV_EXPIRED, 0));
  EXPECT_EQ(0, kev_supports(0, 0, 0));
  EXPECT_EQ(0, kev_supports(9, 0, 0));
}

}  // namespace
