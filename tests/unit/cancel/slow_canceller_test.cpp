// A canceller that takes longer than its target waits for it.
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <thread>

#include "cancel/request.hpp"
#include "disturbance_fixture.hpp"
#include "os/thread.hpp"
#include "patience.hpp"
#include "support/asleep.hpp"
#include "support/descriptor.hpp"
#include "support/signals.hpp"
#include "support/stopwatch.hpp"
#include "support/stub_call.hpp"
#include "support/target.hpp"

namespace kev::cancel {
namespace {

// libc's pthread_cancel() goes on when it may.
class GivenUpTest : public DisturbanceTest {
 protected:
  GivenUpTest() {
    at_libc = go_on = entered = false;
    waited = 0;
    libc.cancel = [](pthread_t thread) {
      at_libc = true;
      wait_for(go_on);
      return ::pthread_cancel(thread);
    };
  }
  // Makes the calling thread wait for its canceller until it gives up. Returns the requests that it has looked at.
  static unsigned give_up_waiting() {
    wait_for(at_libc);
    EXPECT_EQ(kCancelled, by_stub_how(kReturn, SYS_getppid));
    return settle();
  }
  // Sleeps in a cancellation point.
  void read_in_vain() {
    char byte;
    by_stub(SYS_read, pipe.in.get(), &byte, 1);
  }

  static inline std::atomic<bool> at_libc{false}, go_on{false}, entered{false};
  static inline std::atomic<long> waited{0};
  static inline Semaphore* nobody_posts = nullptr;
  static inline int endless = -1;
  const Patience less{100};
  Pipe pipe = make_pipe(O_CLOEXEC);
};

TEST_F(GivenUpTest, ItDoesNotDisturbAThreadThatHasCancellationDisabledSince) {
  if (libc_signals_everybody()) GTEST_SKIP() << "this C library signals every thread";
  Target target([&] {
    give_up_waiting();
    disable();
    go_on = true;
    EXPECT_EQ(-EAGAIN, semaphore.wait(100 * kMillisecond));
    enable();
    read_in_vain();
    ADD_FAILURE() << "not cancelled";
  });
  EXPECT_EQ(0, target.cancel());
  EXPECT_TRUE(target.join());
}

TEST_F(GivenUpTest, ItWakesAThreadThatHadCancellationDisabledThen) {
  std::atomic<int> id{0};
  Target target([&] {
    disable();
    give_up_waiting();
    enable();
    id = os::thread_id();
    read_in_vain();
    ADD_FAILURE() << "not cancelled";
  });
  std::thread canceller([&] { EXPECT_EQ(0, target.cancel()); });
  while (id == 0) ::sched_yield();
  wait_until_inside(target.thread());
  wait_until_asleep(id);
  go_on = true;
  canceller.join();
  EXPECT_TRUE(target.join());
}

// What a handler may do to a thread that is on its way back into the stub.
TEST_F(GivenUpTest, AThreadLooksAgainThatHadCancellationDisabledAsItCame) {
  std::atomic<bool> done{false};
  Target target([&] {
    const unsigned seen = give_up_waiting();
    disable();
    go_on = true;
    wait_for(done);
    enable();
    char byte;
    EXPECT_EQ(kCancelled, by_stub_how(kReturn | seen, SYS_read, pipe.in.get(), &byte, 1));
    read_in_vain();
    ADD_FAILURE() << "not cancelled";
  });
  EXPECT_EQ(0, target.cancel());
  done = true;
  EXPECT_TRUE(target.join());
}

// The canceller has seen the thread in the stub with cancellation enabled; then a handler disables it.
TEST_F(GivenUpTest, ItDoesNotDisturbAHandlerThatHasCancellationDisabledSince) {
  if (kThreadSanitizer) GTEST_SKIP() << "ThreadSanitizer keeps signals back until a call of its own";
  if (libc_signals_everybody()) GTEST_SKIP() << "this C library signals every thread";
  nobody_posts = &semaphore;
  const Handler installed(
      SIGUSR1,
      [](int) {
        disable();
        entered = true;
        waited = nobody_posts->wait(100 * kMillisecond);
        enable();
      },
      SA_RESTART);
  Target target([&] {
    read_in_vain();
    ADD_FAILURE() << "not cancelled";
  });
  wait_until_inside(target.thread());
  std::thread canceller([&] { EXPECT_EQ(0, target.cancel()); });
  wait_for(at_libc);
  ::pthread_kill(target.thread(), SIGUSR1);
  wait_for(entered);
  go_on = true;
  canceller.join();
  EXPECT_TRUE(target.join());
  EXPECT_EQ(-EAGAIN, waited);
}

// A handler interrupts pthread_setcancelstate(), when cancellation is enabled for libc.
TEST_F(GivenUpTest, AHandlerIsCancelledThatInterruptsTheChangeOfState) {
  if (kThreadSanitizer) GTEST_SKIP() << "ThreadSanitizer keeps signals back until a call of its own";
  endless = pipe.in.get();
  const Handler installed(
      SIGUSR1,
      [](int) {
        entered = true;
        char byte;
        by_stub(SYS_read, endless, &byte, 1);
      },
      SA_RESTART);
  Target target([] {
    disable();
    state_changes(PTHREAD_CANCEL_ENABLE);
    ::pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, nullptr);
    ::raise(SIGUSR1);
    ADD_FAILURE() << "not cancelled";
  });
  wait_for(entered);
  wait_until_inside(target.thread());
  go_on = true;
  EXPECT_EQ(0, target.cancel());
  EXPECT_TRUE(target.join());
}

}  // namespace
}  // namespace kev::cancel
