// select and pselect: sleeping, the time that is left, signals and masks.
//
// Linux's select writes back the time that was not slept, pselect leaves its argument alone.
#include <cstring>
#include <limits>
#include <thread>

#include "support/child.hpp"
#include "support/descriptor_sets.hpp"
#include "support/signals.hpp"

namespace conformance {
namespace {

volatile sig_atomic_t handled = 0;
void count_signal(int) { handled = handled + 1; }

class SelectTimeTest : public SetsTest {
 protected:
  void SetUp() override { handled = 0; }
  int pselect_with(const sigset_t& mask, long ns = 0) {
    const timespec time{ns / kSecond, ns % kSecond};
    fd_set copy = sets.master(0);
    return ::pselect(sets.count(), &copy, nullptr, nullptr, &time, &mask);
  }
};
CONFORMANCE_FEW_SPANS(SelectTimeTest);

TEST_P(SelectTimeTest, NeverReturnsEarly) {
  EXPECT_TRUE(sets.keeps_answering({}));
  for (const std::int64_t us : {1, 300, 1000, 4999, 5001, 20000}) {
    const Stopwatch watch;
    EXPECT_TRUE(sets.answers({}, us * 1000));
    EXPECT_TRUE(watch.in_time(us * 1000)) << us;
  }
}

TEST_P(SelectTimeTest, SelectWritesBackTheTimeThatIsLeft) {
  const Pipe pipe = make_pipe();
  sets.want(pipe.in.get(), kRead);
  EXPECT_TRUE(sets.keeps_answering({}));
  bool time_passed = false;  // on a busy machine the writer may be first in some of the turns
  for (int turn = 0; turn < 4; ++turn) {
    std::thread writer([&] {
      sleep_ns(12 * kMillisecond);
      put(pipe.out.get());
    });
    fd_set copy = sets.master(0);
    timeval time{10, 0};
    const Stopwatch watch;
    EXPECT_EQ(1, ::select(sets.count(), &copy, nullptr, nullptr, &time));
    writer.join();
    const std::int64_t left = time.tv_sec * kSecond + time.tv_usec * 1000;
    EXPECT_LE(left, 10 * kSecond);
    time_passed = time_passed || left <= 10 * kSecond - 10 * kMillisecond;
    EXPECT_GE(left, 10 * kSecond - watch.elapsed() - kMillisecond);
    copy = sets.master(0);
    time = {3, 500};
    EXPECT_EQ(1, ::select(sets.count(), &copy, nullptr, nullptr, &time));  // ready at once: hardly any time passed
    EXPECT_LE(time.tv_sec, 3);
    EXPECT_GE(time.tv_sec, 1);
    drain(pipe.in.get());
  }
  EXPECT_TRUE(time_passed);
}

TEST_P(SelectTimeTest, SelectWritesBackZeroWhenTheTimeIsOver) {
  for (int round = 0; round < kSelectRounds; ++round) {
    fd_set copy = sets.master(0);
    timeval time{0, 7000};
    EXPECT_EQ(0, ::select(sets.count(), &copy, nullptr, nullptr, &time));
    EXPECT_EQ(0, time.tv_sec);
    EXPECT_EQ(0, time.tv_usec);
  }
}

TEST_P(SelectTimeTest, SelectTakesMoreThanASecondOfMicroseconds) {
  const Descriptor event = make_event(1);
  sets.want(event.get(), kRead);
  for (int round = 0; round < kSelectRounds; ++round) {
    fd_set copy = sets.master(0);
    timeval time{0, 3'500'000};
    EXPECT_EQ(1, ::select(sets.count(), &copy, nullptr, nullptr, &time));
    EXPECT_LE(time.tv_sec, 3);
    EXPECT_GT(1'000'000, time.tv_usec);
  }
}

TEST_P(SelectTimeTest, SelectWritesBackWhatIsLeftOfAnyTime) {
  const Descriptor event = make_event(1);
  sets.want(event.get(), kRead);
  constexpr time_t kLongest = std::numeric_limits<time_t>::max();
  for (const time_t seconds : {kLongest, kLongest / 1'000'000'000 + 1, kLongest / 1'000'000'000, time_t{1} << 32}) {
    for (int round = 0; round < kSelectRounds; ++round) {
      fd_set copy = sets.master(0);
      timeval time{seconds, 0};
      EXPECT_EQ(1, ::select(sets.count(), &copy, nullptr, nullptr, &time));
      EXPECT_LT(1'000'000'000, time.tv_sec) << seconds;
    }
  }
}

TEST_P(SelectTimeTest, SelectWritesBackTheTimeWhenInterrupted) {
  EXPECT_TRUE(sets.keeps_answering({}));
  for (const int flags : {0, SA_RESTART}) {
    const Handler handler(SIGALRM, count_signal, flags);
    const RepeatedAlarm alarm(9);
    fd_set copy = sets.master(0);
    timeval time{10, 0};
    EXPECT_EQ(-1, ::select(sets.count(), &copy, nullptr, nullptr, &time));
    EXPECT_EQ(EINTR, errno);
    EXPECT_LT(time.tv_sec, 10);
    EXPECT_EQ(0, std::memcmp(&copy, &sets.master(0), sizeof copy));  // a failed call leaves the sets
  }
}

TEST_P(SelectTimeTest, PselectLeavesItsTimeAlone) {
  for (int round = 0; round < kSelectRounds; ++round) {
    fd_set copy = sets.master(0);
    timespec time{0, 3'000'001};
    EXPECT_EQ(0, ::pselect(sets.count(), &copy, nullptr, nullptr, &time, nullptr));
    EXPECT_EQ(0, time.tv_sec);
    EXPECT_EQ(3'000'001, time.tv_nsec);
  }
}

TEST_P(SelectTimeTest, EndlessSleepEndsWithAnEvent) {
  const Pipe pipe = make_pipe();
  sets.want(pipe.in.get(), kRead);
  for (const int ms : {0, 2, 9}) {
    std::thread writer([&] {
      sleep_ns(ms * kMillisecond);
      put(pipe.out.get());
    });
    EXPECT_TRUE(sets.answers({{pipe.in.get(), kRead}}, -1));
    writer.join();
    drain(pipe.in.get());
    EXPECT_TRUE(sets.answers({}));
  }
}

TEST_P(SelectTimeTest, PendingSignalIsLetInByTheMaskIfNothingIsReady) {
  const Pipe pipe = make_pipe();
  sets.want(pipe.in.get(), kRead);
  EXPECT_TRUE(sets.keeps_answering({}));
  const Handler handler(SIGUSR1, count_signal);
  const Blocked blocked(SIGUSR1);
  for (int round = 0; round < kSelectRounds; ++round) {
    for (const long ns : {0L, 20 * kSecond}) {
      handled = 0;
      ::raise(SIGUSR1);
      EXPECT_EQ(-1, pselect_with(empty_set(), ns));
      EXPECT_EQ(EINTR, errno);
      EXPECT_EQ(1, handled);
    }
    ::raise(SIGUSR1);
    put(pipe.out.get());
    handled = 0;
    EXPECT_EQ(1, pselect_with(empty_set(), 0));
    EXPECT_EQ(0, handled);
    EXPECT_TRUE(is_pending(SIGUSR1));
    drain(pipe.in.get());
    EXPECT_EQ(-1, pselect_with(empty_set(), 0));
    EXPECT_EQ(1, handled);
    const sigset_t mask = current_mask();
    EXPECT_EQ(1, sigismember(&mask, SIGUSR1));
  }
}

TEST_P(SelectTimeTest, StopAndContinueAreNotNoticed) {
  const pid_t child = start_child([&] {
    REQUIRE_IN_CHILD(sets.keeps_answering({}));
    const Stopwatch watch;
    REQUIRE_IN_CHILD(sets.answers({}, 100 * kMillisecond));
    REQUIRE_IN_CHILD(watch.in_time(100 * kMillisecond));
  });
  sleep_ns(20 * kMillisecond);
  for (int i = 0; i < 4; ++i) {
    ::kill(child, SIGSTOP);
    sleep_ns(3 * kMillisecond);
    ::kill(child, SIGCONT);
    sleep_ns(7 * kMillisecond);
  }
  EXPECT_EQ(0, status_of(child));
}

TEST(SelectWithoutSetsTest, IsASleep) {
  timeval time{0, 12'000};
  const Stopwatch watch;
  EXPECT_EQ(0, ::select(0, nullptr, nullptr, nullptr, &time));
  EXPECT_TRUE(watch.in_time(12 * kMillisecond));
  time = {0, 12'000};
  EXPECT_EQ(0, ::select(900, nullptr, nullptr, nullptr, &time));
  EXPECT_TRUE(watch.in_time(24 * kMillisecond));
  const timespec exact{0, 12'000'000};
  EXPECT_EQ(0, ::pselect(0, nullptr, nullptr, nullptr, &exact, nullptr));
  EXPECT_TRUE(watch.in_time(36 * kMillisecond));
}

}  // namespace
}  // namespace conformance
