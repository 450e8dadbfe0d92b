// Where the core sleeps: deadline, signals, errno, and cancellation when libc's own functions are behind it.
#include "cancel/sleep.hpp"

#include <gtest/gtest.h>
#include <pthread.h>

#include <cerrno>
#include <string>
#include <thread>

#include "cancel/canceller.hpp"
#include "cancel/request.hpp"
#include "os/entries.hpp"
#include "support/descriptor.hpp"
#include "support/libc_cancel.hpp"
#include "support/signals.hpp"
#include "support/stopwatch.hpp"

namespace kev::cancel {
namespace {

using namespace conformance;
using wait::Deadline;

constexpr int kErrno = 4242;

// Each case with the bare system call and with libc's function.
class SleepTest : public ::testing::TestWithParam<bool> {
 protected:
  SleepTest() {
    if (GetParam()) stand_in = {::ppoll, ::pselect};
  }
  ~SleepTest() override { stand_in = {}; }

  int by_poll(const Deadline& deadline, const sigset_t* mask = nullptr) {
    pollfd set = {pipe.in.get(), POLLIN, 0};
    errno = kErrno;
    int result = sleep(&set, 1, deadline, mask);
    EXPECT_EQ(kErrno, errno);
    EXPECT_EQ(result > 0, set.revents == POLLIN);
    return result;
  }
  int by_select(const Deadline& deadline, const sigset_t* mask = nullptr) {
    fd_set in;
    FD_ZERO(&in);
    FD_SET(pipe.in.get(), &in);
    errno = kErrno;
    int result = sleep(pipe.in.get() + 1, &in, nullptr, nullptr, deadline, mask);
    EXPECT_EQ(kErrno, errno);
    if (result >= 0) {
      EXPECT_EQ(result > 0, FD_ISSET(pipe.in.get(), &in));
    }
    return result;
  }

  Pipe pipe = make_pipe();
};

TEST_P(SleepTest, ComesBackAtTheDeadlineAndNotBefore) {
  for (std::int64_t ns : {std::int64_t{0}, std::int64_t{1}, 3 * kMillisecond}) {
    Stopwatch watch;
    EXPECT_EQ(0, by_poll(Deadline::after(ns)));
    EXPECT_EQ(0, by_select(Deadline::after(ns)));
    EXPECT_TRUE(watch.in_time(2 * ns));
  }
  EXPECT_EQ(0, by_poll(Deadline::at(CLOCK_REALTIME, 1)));
}

TEST_P(SleepTest, ComesBackWithWhatIsReady) {
  put(pipe.out.get());
  EXPECT_EQ(1, by_poll(Deadline::never()));
  EXPECT_EQ(1, by_select(Deadline::never()));
}

TEST_P(SleepTest, CountsItsEntries) {
  unsigned before = os::kernel_entries;
  by_poll(Deadline::now());
  by_select(Deadline::now());
  EXPECT_EQ(before + 2, os::kernel_entries);
}

void nothing(int) {}

TEST_P(SleepTest, IsInterruptedByAHandler) {
  Handler handler(SIGALRM, nothing, SA_RESTART);
  RepeatedAlarm alarm(15);
  EXPECT_EQ(-EINTR, by_poll(Deadline::after(5 * kSecond)));
  EXPECT_EQ(-EINTR, by_select(Deadline::after(5 * kSecond)));
}

TEST_P(SleepTest, TakesTheMaskForTheSleep) {
  Handler handler(SIGUSR1, nothing);
  Blocked blocked(SIGUSR1);
  const sigset_t none = empty_set(), same = set_of(SIGUSR1);
  ::raise(SIGUSR1);
  EXPECT_EQ(0, by_poll(Deadline::now(), &same));
  EXPECT_EQ(-EINTR, by_poll(Deadline::now(), &none));
  ::raise(SIGUSR1);
  EXPECT_EQ(0, by_select(Deadline::now(), &same));
  EXPECT_EQ(-EINTR, by_select(Deadline::now(), &none));
}

TEST_P(SleepTest, GivesErrorsAsNegativeNumbers) {
  errno = kErrno;
  EXPECT_EQ(-EFAULT, sleep(reinterpret_cast<pollfd*>(8), 1, Deadline::now(), nullptr));
  fd_set in;
  FD_ZERO(&in);
  const int number = pipe.in.get();
  FD_SET(number, &in);
  pipe.in.close();
  EXPECT_EQ(-EBADF, sleep(number + 1, &in, nullptr, nullptr, Deadline::now(), nullptr));
  EXPECT_EQ(kErrno, errno);
}

std::string by(const ::testing::TestParamInfo<bool>& way) { return way.param ? "Libc" : "SystemCall"; }
INSTANTIATE_TEST_SUITE_P(By, SleepTest, ::testing::Bool(), by);

class CancelTest : public ::testing::Test {
 protected:
  CancelTest() { unit::connect_libc(); }
  ~CancelTest() override { libc = {}; }
  void SetUp() override {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "AddressSanitizer takes a stack that was unwound by cancellation for one in use";
#endif
  }

  // What the core's callers do: let go of what they hold, and look.
  template <typename... What>
  static void sleep_as_caller(What... what) {
    unsigned seen = 0;
    for (;;) {
      int result = sleep(what..., Deadline::after(kLong), nullptr, seen);
      if (result != kCancelled && result != -EINTR) return;
      seen = settle();
      check();
    }
  }

  // What a thread that runs `body` returns, when it is cancelled before or while it sleeps.
  template <typename Body>
  static void* cancelled(Body body, std::int64_t after_ns) {
    pthread_t thread;
    EXPECT_EQ(0, ::pthread_create(&thread, nullptr,
                                  [](void* argument) -> void* {
                                    (*static_cast<Body*>(argument))();
                                    return nullptr;
                                  },
                                  &body));
    sleep_ns(after_ns);
    cancel(thread);
    void* result = nullptr;
    ::pthread_join(thread, &result);
    return result;
  }
  static constexpr std::int64_t kLong = 10 * kSecond;
};

TEST_F(CancelTest, EndsASleepingThread) {
  Stopwatch watch;
  EXPECT_EQ(PTHREAD_CANCELED, cancelled([] { sleep_as_caller(nullptr, 0); }, 20 * kMillisecond));
  EXPECT_EQ(PTHREAD_CANCELED, cancelled([] { sleep_as_caller(0, nullptr, nullptr, nullptr); },
                                        20 * kMillisecond));
  EXPECT_TRUE(watch.prompt());
}

TEST_F(CancelTest, EndsAThreadThatWasCancelledBefore) {
  Stopwatch watch;
  EXPECT_EQ(PTHREAD_CANCELED, cancelled([] { sleep_as_caller(nullptr, 0); }, 0));
  EXPECT_EQ(PTHREAD_CANCELED, cancelled([] { for (;;) check(); }, 0));
  EXPECT_TRUE(watch.prompt());
}

TEST_F(CancelTest, SparesAThreadThatHasItDisabled) {
  const auto body = [] {
    ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
    state_changed(PTHREAD_CANCEL_DISABLE);
    EXPECT_EQ(0, sleep(nullptr, 0, Deadline::after(60 * kMillisecond), nullptr));
    check();
  };
  EXPECT_EQ(nullptr, cancelled(body, 20 * kMillisecond));
}

TEST(CancelWithoutLibcTest, DoesNothing) {
  libc = {};
  check();
}

}  // namespace
}  // namespace kev::cancel
