// When an epoll set gets a bell, what is said from memory, and what ends it.
#include "bell/program_sets.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "bell/nested.hpp"
#include "process/fd_table.hpp"
#include "process/generation.hpp"

namespace kev::bell {
namespace {

class ProgramSetsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (process::generation_word == nullptr) {
      ASSERT_TRUE(process::mark_generation());
    }
  }
  void SetUp() override {
    Ring probe;
    if (probe.open() < 0) GTEST_SKIP() << "this kernel, or a filter, lets nobody have rings";
    probe.close();
    arm_after = 4;
    verify_ns = 3600'000'000'000;
    set = epoll_create1(EPOLL_CLOEXEC);
    nested.remove(set);
    event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    control(EPOLL_CTL_ADD, EPOLLIN);
  }
  void TearDown() override {
    sets.drop_all();
    sets.for_each_ring([](Ring& ring) { ring.close(); });
    for (Silence& silence : silences) silence = {};
    ::close(event);
    ::close(set);
  }
  void control(int operation, uint32_t bits) {
    epoll_event change = {bits, {.fd = event}};
    EXPECT_EQ(0, epoll_ctl(set, operation, event, &change));
  }

  // As preload/epoll.cpp calls: where the answer came from, and what it was.
  enum class From { memory, look, kernel };
  struct Answer {
    From from;
    int result;
    bool operator==(const Answer&) const = default;
  };
  Answer wait(int timeout_ms = 0, int max = 8) {
    if (timeout_ms == 0) {
      if (says_nothing(set, events, max)) return {From::memory, 0};
      if (is_armed(set) && sets.is_empty(set, events, max)) return {From::look, 0};
    }
    const int result = epoll_wait(set, events, max, timeout_ms);
    if (is_worth_learning(set, timeout_ms != 0, result)) sets.learn(set, events, max, result);
    return {From::kernel, result};
  }
  void until_silent() {
    for (int i = 0; i < 8; ++i)
      if (wait().from == From::memory) return;
    FAIL() << "never silent";
  }

  int set, event;
  ProgramSets sets;
  epoll_event events[8];
};

TEST_F(ProgramSetsTest, AnswersFromMemoryAfterEnoughEmptyCalls) {
  for (int i = 0; i < 4; ++i) EXPECT_EQ((Answer{From::kernel, 0}), wait()) << i;
  EXPECT_TRUE(is_armed(set));
  EXPECT_EQ((Answer{From::kernel, 0}), wait()) << "the number must have been an epoll set after it was held";
  EXPECT_EQ((Answer{From::look, 0}), wait());
  for (int i = 0; i < 100; ++i) EXPECT_EQ((Answer{From::memory, 0}), wait()) << i;
}

TEST_F(ProgramSetsTest, ReportsWhatComes) {
  until_silent();
  eventfd_write(event, 1);
  EXPECT_EQ((Answer{From::kernel, 1}), wait());
  EXPECT_EQ((Answer{From::kernel, 1}), wait()) << "left undrained, it stands";
  eventfd_t value;
  eventfd_read(event, &value);
  EXPECT_EQ((Answer{From::look, 0}), wait());
  EXPECT_EQ((Answer{From::memory, 0}), wait());
}

TEST_F(ProgramSetsTest, SaysNothingOfOtherArguments) {
  until_silent();
  EXPECT_EQ(From::kernel, wait(0, 7).from) << "they are for the kernel to judge";
  EXPECT_EQ(From::kernel, wait(0, 8).from);
  EXPECT_FALSE(says_nothing(set, events + 1, 8));
}

TEST_F(ProgramSetsTest, SetsWithEventsGetNone) {
  eventfd_write(event, 1);
  for (int i = 0; i < 100; ++i) wait();
  EXPECT_FALSE(is_armed(set));
}

TEST_F(ProgramSetsTest, ABellThatDoesNotPayIsTakenBack) {
  until_silent();
  for (int i = 0; i < 1000 && is_armed(set); ++i) {
    eventfd_write(event, 1);
    EXPECT_EQ(1, wait().result);
    eventfd_t value;
    eventfd_read(event, &value);
  }
  EXPECT_FALSE(is_armed(set));
  for (int i = 0; i < 7; ++i) wait();
  EXPECT_FALSE(is_armed(set)) << "and comes again after twice as many calls";
  wait();
  EXPECT_TRUE(is_armed(set));
}

TEST_F(ProgramSetsTest, WaitsThatSleepAreNoReasonForOne) {
  for (int i = 0; i < 100; ++i) wait(1);
  EXPECT_FALSE(is_armed(set));
}

TEST_F(ProgramSetsTest, ACloseOfTheNumberEndsIt) {
  until_silent();
  ::close(set);
  process::fd_changed(set);
  EXPECT_FALSE(says_nothing(set, events, 8));
  EXPECT_EQ((Answer{From::kernel, -1}), wait());
  EXPECT_FALSE(is_armed(set));
}

// A bare system call has closed the number; another set has it now.
TEST_F(ProgramSetsTest, AnUnseenCloseEndsItOnceThePeriodIsOver) {
  until_silent();
  const int other = epoll_create1(EPOLL_CLOEXEC);
  ASSERT_EQ(set, dup3(other, set, O_CLOEXEC));
  ::close(other);
  ::close(event);
  event = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
  control(EPOLL_CTL_ADD, EPOLLIN);
  EXPECT_EQ(From::memory, wait().from) << "not seen yet";
  verify_ns = 0;
  EXPECT_EQ((Answer{From::kernel, 1}), wait());
  EXPECT_FALSE(is_armed(set)) << "the bell was another file's";
}

TEST_F(ProgramSetsTest, ASetInASetGetsNone) {
  nested.add(set);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(From::kernel, wait().from);
  nested.remove(set);
}

TEST_F(ProgramSetsTest, TwoSetsOfOnePlaceTakeTurns) {
  until_silent();
  int other = epoll_create1(EPOLL_CLOEXEC);
  while (other % static_cast<int>(kSets) != set % static_cast<int>(kSets)) other = dup(other);
  std::swap(set, other);
  for (int i = 0; i < 100; ++i) EXPECT_EQ((Answer{From::kernel, 0}), wait()) << i;
  EXPECT_TRUE(is_armed(other));
  for (int i = 0; i < 300; ++i) wait();
  EXPECT_EQ(From::memory, wait().from) << "the other one was not asked any more";
  EXPECT_FALSE(is_armed(other));
  std::swap(set, other);
  EXPECT_EQ((Answer{From::kernel, 0}), wait());
}

TEST_F(ProgramSetsTest, HoldsItsNumberOnlyAsLongAsItHasABell) {
  until_silent();
  EXPECT_EQ(1u, process::fd_marks(set) & process::kHolders);
  sets.drop(set);
  EXPECT_EQ(0u, process::fd_marks(set) & process::kHolders);
  EXPECT_FALSE(is_armed(set));
}

// The promise: what was ready before the call began is reported by it. The writer is another thread, and says so once
// its write has returned.
TEST_F(ProgramSetsTest, MissesNothingThatWasReadyBeforeTheCall) {
  const char* wanted = getenv("KEV_BELL_ROUNDS");
  const int rounds = wanted != nullptr ? atoi(wanted) : 20'000;
  std::atomic<int> written{0}, seen{0};
  std::thread writer([&] {
    for (int i = 1; i <= rounds; ++i) {
      eventfd_write(event, 1);
      written.store(i, std::memory_order_release);
      while (seen.load(std::memory_order_acquire) != i) std::this_thread::yield();
    }
  });
  int missed = 0, from_memory = 0, at_once = 0;
  for (int i = 1; i <= rounds; ++i) {
    for (bool before = false;;) {
      before = written.load(std::memory_order_acquire) == i;
      const Answer answer = wait();
      from_memory += answer.from == From::memory;
      if (answer.result > 0) {
        at_once += before;
        break;
      }
      missed += before;
      if (!before) std::this_thread::yield();
    }
    eventfd_t value;
    eventfd_read(event, &value);
    seen.store(i, std::memory_order_release);
  }
  writer.join();
  EXPECT_EQ(0, missed);
  RecordProperty("from_memory", from_memory);
  RecordProperty("at_once", at_once);
}

}  // namespace
}  // namespace kev::bell
