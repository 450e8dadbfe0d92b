// Nobody is disturbed who has nothing to do with a cancellation.
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <cstdio>

#include "cancel/record.hpp"
#include "cancel/request.hpp"
#include "disturbance_fixture.hpp"
#include "support/descriptor.hpp"
#include "support/stopwatch.hpp"
#include "support/stub_call.hpp"
#include "support/target.hpp"

namespace kev::cancel {
namespace {

TEST_F(DisturbanceTest, ADisabledThreadInAStubIsLeftAlone) {
  Pipe pipe = make_pipe(O_CLOEXEC);
  std::atomic<bool> taken{false};
  Target target([&] {
    disable();
    char byte;
    EXPECT_EQ(1, by_stub(SYS_read, pipe.in.get(), &byte, 1));
    EXPECT_EQ(1u, self().requests.load());  // the one that was told it; a signal counts, too
    taken = true;
    EXPECT_EQ(by_kernel(SYS_getpid), by_stub(SYS_getpid));
    enable();
    by_stub(SYS_getpid);
    ADD_FAILURE() << "no cancellation point";
  });
  wait_until_inside(target.thread());
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(0, target.cancel());
  put(pipe.out.get());
  EXPECT_TRUE(target.join());
  EXPECT_TRUE(taken);
}

TEST_F(DisturbanceTest, ADisabledThreadInABareCallIsLeftAlone) {
  const Descriptor set(::epoll_create1(EPOLL_CLOEXEC));
  const Descriptor event = make_event();
  epoll_event wanted = {};
  wanted.events = EPOLLIN;
  ASSERT_EQ(0, ::epoll_ctl(set.get(), EPOLL_CTL_ADD, event.get(), &wanted));
  const int tries = rounds(1000);
  std::atomic<int> turn{0};
  Target target([&] {
    disable();
    for (int i = 0; i < tries; ++i) {
      ++turn;
      epoll_event found;
      EXPECT_EQ(1, by_kernel(SYS_epoll_pwait, set.get(), &found, 1, -1, nullptr, 8));
      EXPECT_EQ(8u, sizeof(std::uint64_t));
      std::uint64_t value;
      EXPECT_EQ(8, by_kernel(SYS_read, event.get(), &value, 8));
      ++turn;
      EXPECT_EQ(0, semaphore.wait(10 * kSecond));
    }
    EXPECT_EQ(1u, self().requests.load());  // the one that was told it; a signal counts, too
  });
  Jitter jitter;
  for (int i = 0; i < tries; ++i)
    for (int half = 0; half < 2; ++half) {
      while (turn <= 2 * i + half) ::sched_yield();
      jitter.pass(8000);
      target.cancel();
      jitter.pass(1000);
      target.cancel();
      if (half == 0) add_to_event(event.get());
      else semaphore.post();
    }
  EXPECT_FALSE(target.join());
}

// In and out of the stub all the time, and in a call of its own in between: the signal is for the stub alone.
TEST_F(DisturbanceTest, AnEnabledThreadIsLeftAloneOutsideTheStub) {
  if (libc_signals_everybody()) GTEST_SKIP() << "this C library signals every thread";
  if (kThreadSanitizer) GTEST_SKIP() << "ThreadSanitizer keeps signals back until a call of its own";
  long waits = 0, told = 0, disturbed = 0;
  cancelled_all_the_time([&] {
    unsigned seen = 0;
    for (Jitter jitter; !stop; ++waits, ++passes) {
      while (spend_time_in_stub(kReturn | seen) == kCancelled) {
        seen = settle();
        ++told;
      }
      if (waits % 4 == 0) jitter.pass(200);
      disturbed += semaphore.wait(20'000) != -EAGAIN;
    }
  });
  EXPECT_EQ(0, disturbed);
  EXPECT_GT(told, 10);
  std::printf("[          ] %ld cancellations, %ld seen in %ld rounds\n", cancellations.load(), told, waits);
}

// The same with the state changed all the time: while it is disabled nothing arrives.
TEST_F(DisturbanceTest, ADisabledThreadIsLeftAloneWhateverItWasBefore) {
  long waits = 0, told = 0, disturbed = 0;
  cancelled_all_the_time([&] {
    unsigned seen = 0;
    for (Jitter jitter; !stop; ++waits, ++passes) {
      enable();
      while (spend_time_in_stub(kReturn | seen) == kCancelled) {
        seen = settle();
        ++told;
      }
      if (waits % 4 == 0) jitter.pass(100);
      disable();
      disturbed += semaphore.wait(20'000) != -EAGAIN;
      disturbed += by_stub(SYS_getppid) != by_kernel(SYS_getppid);
    }
  });
  EXPECT_EQ(0, disturbed);
  EXPECT_GT(told, 10);
}

// One that sleeps in the stub, disabled, with calls that are never restarted.
TEST_F(DisturbanceTest, ADisabledThreadsSleepIsNotCutShort) {
  long waits = 0, disturbed = 0;
  cancelled_all_the_time([&] {
    disable();
    for (; !stop; ++waits, ++passes) {
      const Stopwatch watch;
      timespec time = {0, 200'000};
      disturbed += by_stub(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &time, nullptr) != 0;
      disturbed += watch.elapsed() < 200'000;
    }
  });
  EXPECT_EQ(0, disturbed);
  EXPECT_GT(waits, 5);
}

}  // namespace
}  // namespace kev::cancel
