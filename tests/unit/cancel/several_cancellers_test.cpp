// Several cancellers at once.
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "cancel/request.hpp"
#include "canceller_fixture.hpp"
#include "patience.hpp"
#include "support/descriptor.hpp"
#include "support/stopwatch.hpp"
#include "support/stub_call.hpp"
#include "support/target.hpp"

namespace kev::cancel {
namespace {

class ManyTest : public CancellerTest {};

TEST_F(ManyTest, TwoCancelOneThread) {
  for (int round = 0; round < rounds(1000); ++round) {
    Pipe pipe = make_pipe(O_CLOEXEC);
    Target target([&] {
      char byte;
      by_stub(SYS_read, pipe.in.get(), &byte, 1);
      ADD_FAILURE() << "not cancelled";
    });
    if (round % 3 != 0) wait_until_inside(target.thread());
    std::atomic<int> ready{0};
    const auto both = [&] {
      ++ready;
      while (ready < 2) ::sched_yield();
      EXPECT_EQ(0, target.cancel());
    };
    std::thread other(both);
    both();
    other.join();
    EXPECT_TRUE(target.join());
  }
}

// libc's pthread_cancel() takes its time: all slots are in use.
TEST_F(ManyTest, MoreCancellersThanSlots) {
  libc.cancel = [](pthread_t thread) {
    sleep_ns(2 * kMillisecond);
    const int error = ::pthread_cancel(thread);
    sleep_ns(2 * kMillisecond);
    return error;
  };
  constexpr int kCount = 80;
  for (int round = 0; round < 2; ++round) {
    Pipe pipe = make_pipe(O_CLOEXEC);
    std::vector<std::unique_ptr<Target>> targets;
    for (int i = 0; i < kCount; ++i)
      targets.push_back(std::make_unique<Target>([&pipe, i] {
        char byte;
        if (i % 2 == 0) by_stub(SYS_read, pipe.in.get(), &byte, 1);
        else for (timespec time = {0, 100'000};;) by_stub(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &time, nullptr);
      }));
    std::atomic<int> ready{0};
    std::vector<std::thread> cancellers;
    for (int i = 0; i < kCount; ++i)
      cancellers.emplace_back([&, i] {
        ++ready;
        while (ready < kCount) ::sched_yield();
        EXPECT_EQ(0, targets[static_cast<std::size_t>(i)]->cancel());
      });
    for (std::thread& canceller : cancellers) canceller.join();
    for (auto& target : targets) EXPECT_TRUE(target->join());
  }
}

// A target that waits for a slow canceller gives up after a while, and is woken when the mark is made.
TEST_F(ManyTest, ATargetDoesNotWaitForEver) {
  const Patience less(1500);
  libc.cancel = [](pthread_t thread) {
    sleep_ns(1900 * kMillisecond);
    return ::pthread_cancel(thread);
  };
  Pipe pipe = make_pipe(O_CLOEXEC);
  std::atomic<bool> started{false};
  std::atomic<std::int64_t> longest{0};
  Target target([&] {
    started = true;
    for (unsigned seen = 0; longest < 50 * kMillisecond;) {
      const Stopwatch watch;
      if (by_stub_how(kReturn | seen, SYS_getppid) == kCancelled) seen = settle();
      if (watch.elapsed() > longest) longest = watch.elapsed();
    }
    char byte;
    by_stub(SYS_read, pipe.in.get(), &byte, 1);
    ADD_FAILURE() << "not cancelled";
  });
  wait_for(started);
  EXPECT_EQ(0, target.cancel());
  EXPECT_TRUE(target.join());
  EXPECT_LT(longest, 1800 * kMillisecond);
}

TEST_F(ManyTest, ThreadsCancelEachOther) {
  for (int round = 0; round < rounds(300); ++round) {
    std::atomic<int> ready{0};
    std::atomic<pthread_t> threads[2] = {};
    Pipe pipe = make_pipe(O_CLOEXEC);
    const auto body = [&](int me) {
      ++ready;
      while (threads[0] == 0 || threads[1] == 0) ::sched_yield();
      cancel(threads[1 - me]);
      char byte;
      by_stub(SYS_read, pipe.in.get(), &byte, 1);
    };
    Target one([&] { body(0); }), two([&] { body(1); });
    threads[0] = one.thread();
    threads[1] = two.thread();
    EXPECT_TRUE(one.join());
    EXPECT_TRUE(two.join());
  }
}

}  // namespace
}  // namespace kev::cancel
