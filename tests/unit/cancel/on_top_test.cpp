// A cancellation that meets a handler on top of a call.
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <string>

#include "cancel/handler.hpp"
#include "cancel/record.hpp"
#include "canceller_fixture.hpp"
#include "os/thread.hpp"
#include "support/asleep.hpp"
#include "support/descriptor.hpp"
#include "support/signals.hpp"
#include "support/stub_call.hpp"
#include "support/target.hpp"

namespace kev::cancel {
namespace {

// A handler that runs on top of a call in a stub when the cancellation comes.
class OnTopTest : public CancellerTest, public ::testing::WithParamInterface<int> {
 protected:
  void SetUp() override {
    CancellerTest::SetUp();
    if (kThreadSanitizer) GTEST_SKIP() << "ThreadSanitizer keeps signals back until a call of its own";
  }
  static inline std::atomic<bool> entered{false}, go_on{false}, left{false};
  static inline std::atomic<int> second_pipe{-1};

  static void wait_in_handler() {
    entered = true;
    while (!go_on) by_kernel(SYS_sched_yield);
  }
  static void leave_handler() { left = true; }

  // A thread sleeps in the stub, `handler` runs on top of it and says that it entered, the cancellation comes,
  // `release` lets the handler go on: the thread ends.
  void expect_cancelled(void (*handler)(int), std::function<void()> release = [] { go_on = true; }, int count = 60) {
    Pipe second = make_pipe(O_CLOEXEC);
    second_pipe = second.in.get();
    out = second.out.get();
    Handler installed(SIGUSR1, handler, GetParam());
    for (int round = 0; round < count; ++round) {
      entered = go_on = left = false;
      std::atomic<int> id{0};
      Pipe pipe = make_pipe(O_CLOEXEC);
      Target target([&] {
        id = os::thread_id();
        char byte;
        while (by_stub(SYS_read, pipe.in.get(), &byte, 1) == -EINTR) {
        }
      });
      wait_until_inside(target.thread());
      if (round % 2 == 0) wait_until_asleep(id);
      ::pthread_kill(target.thread(), SIGUSR1);
      wait_for(entered);
      jitter.pass(3000);
      if (from_elsewhere) {
        EXPECT_EQ(0, target.cancel());
      }
      jitter.pass(3000);
      release();
      EXPECT_TRUE(target.join());
    }
  }

  int out = -1;
  bool from_elsewhere = true;
  Jitter jitter;
};

TEST_P(OnTopTest, TheCallIsCancelledWhenTheHandlerReturns) {
  expect_cancelled([](int) {
    wait_in_handler();
    leave_handler();
  });
  EXPECT_TRUE(left);
}

TEST_P(OnTopTest, AHandlersOwnCallIsCancelled) {
  expect_cancelled(
      [](int) {
        char byte;
        entered = true;
        by_stub(SYS_read, second_pipe.load(), &byte, 1);
        leave_handler();
      },
      [] {});
  EXPECT_FALSE(left);
}

TEST_P(OnTopTest, AHandlerThatHasItDisabledEnablesIt) {
  expect_cancelled([](int) {
    disable();
    wait_in_handler();
    enable();
    leave_handler();
  });
  EXPECT_TRUE(left);
}

TEST_P(OnTopTest, AHandlerThatHasItDisabledIsInACallOfItsOwn) {
  expect_cancelled(
      [](int) {
        disable();
        entered = true;
        char byte;
        if (by_stub(SYS_read, second_pipe.load(), &byte, 1) == 1) leave_handler();
        enable();
      },
      [&] { put(out); });
  EXPECT_TRUE(left);
}

TEST_P(OnTopTest, AHandlerDisablesItAfterwards) {
  expect_cancelled([](int) {
    wait_in_handler();
    disable();
    timespec no_time = {0, 0};
    by_stub(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &no_time, nullptr);
    enable();
    leave_handler();
  });
  EXPECT_TRUE(left);
}

TEST_P(OnTopTest, AHandlerRunsOnTopOfAHandler) {
  Handler inner(SIGUSR2, [](int) { wait_in_handler(); }, GetParam());
  expect_cancelled([](int) {
    ::raise(SIGUSR2);
    leave_handler();
  });
  EXPECT_TRUE(left);
}

TEST_P(OnTopTest, AHandlerCancelsItsOwnThread) {
  from_elsewhere = false;
  expect_cancelled([](int) {
    cancel(::pthread_self());
    entered = true;
    leave_handler();
  });
  EXPECT_TRUE(left);
}

// The handler's call ends with a result in the moment in which the signal comes: the result stays, and the call below
// is told all the same. Here the handler's call is the one that sends the signal, so it is at its end that it arrives.
TEST_P(OnTopTest, AHandlersCallHasItsResultAsTheSignalComes) {
  // Ours stands in front of libc's.
  Target([] {
    for (;;) check();
  }).cancel();
  entered = go_on = left = false;
  Handler installed(
      SIGUSR1,
      [](int) {
        // What a canceller does from elsewhere: counts, marks, sends.
        ++self().requests;
        ::pthread_cancel(::pthread_self());
        if (by_stub_how(self().requests.load(), SYS_tgkill, ::getpid(), os::thread_id(), kSignal) == 0) leave_handler();
      },
      GetParam());
  Pipe pipe = make_pipe(O_CLOEXEC);
  Target target([&] {
    char byte;
    while (by_stub(SYS_read, pipe.in.get(), &byte, 1) == -EINTR) {
    }
  });
  wait_until_inside(target.thread());
  ::pthread_kill(target.thread(), SIGUSR1);
  EXPECT_TRUE(target.join());
  EXPECT_TRUE(left);
}

// The same by chance: a byte for the handler's call and the cancellation at once.
TEST_P(OnTopTest, AHandlersCallHasItsByteAsTheSignalComes) {
  Handler installed(
      SIGUSR1,
      [](int) {
        entered = true;
        char byte;
        by_stub(SYS_read, second_pipe.load(), &byte, 1);
        leave_handler();
      },
      GetParam());
  int handlers_ended = 0;
  for (int round = 0; round < rounds(1500); ++round) {
    Pipe pipe = make_pipe(O_CLOEXEC), second = make_pipe(O_CLOEXEC);
    second_pipe = second.in.get();
    entered = left = false;
    Target target([&] {
      char byte;
      while (by_stub(SYS_read, pipe.in.get(), &byte, 1) == -EINTR) {
      }
    });
    wait_until_inside(target.thread());
    ::pthread_kill(target.thread(), SIGUSR1);
    wait_for(entered);
    if (round % 2 == 0) jitter.pass(20'000);
    put(second.out.get());
    jitter.pass(2000);
    target.cancel();
    EXPECT_TRUE(target.join());
    handlers_ended += left;
  }
  std::printf("[          ] %d handlers had their byte\n", handlers_ended);
}

std::string effect_of(const ::testing::TestParamInfo<int>& flags) {
  return flags.param == 0 ? "ThatInterrupts" : "ThatRestarts";
}
INSTANTIATE_TEST_SUITE_P(OfAHandler, OnTopTest, ::testing::Values(0, SA_RESTART), effect_of);

}  // namespace
}  // namespace kev::cancel
