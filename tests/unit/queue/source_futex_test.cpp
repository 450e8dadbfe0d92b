// Futexes in a queue: woken, changed, passed on.
#include <kev/kev.h>

#include <gtest/gtest.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

#include "support/asleep.hpp"
#include "support/native_queue.hpp"

namespace {

using namespace native;

class SourceFutexTest : public FormTest {
 protected:
  void SetUp() override {
    if (kev_supports(KEV_SOURCE_FUTEX, 0, 0) == 0) GTEST_SKIP() << "this kernel has no futex_waitv (5.16)";
  }
  static long wake(std::atomic<std::uint32_t>& word, int count = 1, int flags = FUTEX_PRIVATE_FLAG) {
    return ::syscall(SYS_futex, &word, FUTEX_WAKE | flags, count, nullptr, nullptr, 0);
  }
  // Until somebody was woken.
  static void wake_one(std::atomic<std::uint32_t>& word, int flags = FUTEX_PRIVATE_FLAG) {
    wait_until([&] { return wake(word, 1, flags) == 1; });
  }
  int add(std::atomic<std::uint32_t>& word, std::uint32_t value, std::uint32_t flags = 0, std::uint64_t udata = 0) {
    return kev_add_futex(q, reinterpret_cast<std::uint32_t*>(&word), value, flags, udata);
  }
  int mod(std::atomic<std::uint32_t>& word, std::uint32_t value) {
    kev_change change = {};
    change.op = KEV_MOD;
    change.source = KEV_SOURCE_FUTEX;
    change.ident = reinterpret_cast<std::uint64_t>(&word);
    change.arg[0] = value;
    kev_submit(q, &change, 1);
    return change.result;
  }
};
KEV_FORMS(SourceFutexTest);

TEST_P(SourceFutexTest, ReportsAWakeUpWithTheWordsValue) {
  std::atomic<std::uint32_t> word{0};
  ASSERT_EQ(0, add(word, 0, 0, 4));
  EXPECT_EQ(0u, queue.wait(kMillisecond).size());
  wake_one(word);
  auto events = queue.wait(10 * kSecond);
  ASSERT_EQ(1u, events.size());
  EXPECT_EQ(4u, events[0].udata);
  EXPECT_EQ(reinterpret_cast<std::uint64_t>(&word), events[0].ident);
  EXPECT_EQ(0u, events[0].data[0]);
  EXPECT_EQ(KEV_WOKEN, events[0].what);
}

TEST_P(SourceFutexTest, ReportsAWordThatHoldsAnotherValueAtOnce) {
  std::atomic<std::uint32_t> word{3};
  ASSERT_EQ(0, add(word, 2));
  auto events = queue.wait();
  ASSERT_EQ(1u, events.size());
  EXPECT_EQ(KEV_CHANGED, events[0].what);
  EXPECT_EQ(3u, events[0].data[0]);
}

TEST_P(SourceFutexTest, ReportsOnceUntilItIsGivenAnotherValue) {
  std::atomic<std::uint32_t> word{0};
  ASSERT_EQ(0, add(word, 0));
  for (std::uint32_t value = 1; value <= 5; ++value) {
    word = value;
    wake(word);
    ASSERT_EQ(1u, queue.wait(10 * kSecond).size()) << value;
    EXPECT_EQ(0u, queue.wait().size());
    EXPECT_EQ(0, mod(word, value));
  }
}

TEST_P(SourceFutexTest, WaitsForManyAndForSharedOnes) {
  std::atomic<std::uint32_t> words[100] = {};
  for (auto& word : words) ASSERT_EQ(0, add(word, 0, &word - words == 50 ? KEV_SHARED : 0, &word - words));
  for (unsigned i : {50u, 0u, 99u}) {
    wake_one(words[i], i == 50 ? 0 : FUTEX_PRIVATE_FLAG);
    auto events = queue.wait(10 * kSecond);
    ASSERT_EQ(1u, events.size());
    EXPECT_EQ(i, events[0].udata);
  }
}

TEST_P(SourceFutexTest, RefusesMoreThanItCanWaitFor) {
  std::atomic<std::uint32_t> words[128] = {};
  for (unsigned i = 0; i < 127; ++i) ASSERT_EQ(0, add(words[i], 0));
  EXPECT_EQ(-ENOSPC, add(words[127], 0));
  EXPECT_EQ(0, kev_delete(q, KEV_SOURCE_FUTEX, reinterpret_cast<std::uint64_t>(&words[5])));
  EXPECT_EQ(0, add(words[127], 0));
  EXPECT_EQ(1u, queue.info().threads);
}

TEST_P(SourceFutexTest, PassesOnAWakeUpThatWasNotDelivered) {
  std::atomic<std::uint32_t> word{0};
  ASSERT_EQ(0, add(word, 0));
  wake_one(word);
  wait_until([&] { return queue.info().ready == 1; });
  std::atomic<bool> is_awake{false};
  std::thread other([&] {
    ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
    is_awake = true;
  });
  unit::wait_until_others_sleep();
  EXPECT_EQ(0, kev_delete(q, KEV_SOURCE_FUTEX, reinterpret_cast<std::uint64_t>(&word)));
  for (int i = 0; i < 3000 && !is_awake; ++i) sleep_ns(kMillisecond);
  EXPECT_TRUE(is_awake) << "the queue kept the wake-up";
  while (!is_awake) wake(word);
  other.join();
  EXPECT_EQ(0u, queue.wait().size());
}

// The kernel names one of them only.
TEST_P(SourceFutexTest, DeletingPassesTheWakeUpOnThatCameWithAnothers) {
  std::atomic<std::uint32_t> first{0}, second{0};
  std::atomic<bool> is_awake{false};
  ASSERT_EQ(0, add(first, 0));
  ASSERT_EQ(0, add(second, 0));
  unit::wait_until_others_sleep();
  std::thread other([&] {
    ::syscall(SYS_futex, &second, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, nullptr, nullptr, 0);
    is_awake = true;
  });
  unit::wait_until_others_sleep();
  // One waiter of each word, and `second` becomes 1.
  EXPECT_EQ(2, ::syscall(SYS_futex, &first, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 1, 1L, &second,
                         FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_EQ, 0)));
  wait_until([&] { return queue.info().ready == 2; });
  EXPECT_EQ(0, kev_delete(q, KEV_SOURCE_FUTEX, reinterpret_cast<std::uint64_t>(&second)));
  for (int i = 0; i < 500 && !is_awake; ++i) sleep_ns(kMillisecond);
  EXPECT_TRUE(is_awake) << "the queue took a wake-up with it";
  while (!is_awake) wake(second);
  other.join();
}

}  // namespace
