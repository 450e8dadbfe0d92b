// epoll_wait, epoll_pwait and epoll_pwait2: errors, time, signals and masks.
//
// epoll_pwait differs from ppoll in a detail that programs see: with no time to wait it returns 0 and leaves a pending
// signal alone. A stopped and continued process finds its wait interrupted.
#include <sys/mman.h>

#include <thread>

#include "support/child.hpp"
#include "support/epoll_set.hpp"
#include "support/signals.hpp"

namespace conformance {
namespace {

volatile sig_atomic_t handled = 0;
void count_signal(int) { handled = handled + 1; }

// The three waits as one: time in nanoseconds, negative for ever.
struct Wait {
  const char* name;
  int (*call)(int set, epoll_event* events, int most, std::int64_t ns);
  bool available;
};

int round_up_ms(std::int64_t ns) { return ns < 0 ? -1 : static_cast<int>((ns + kMillisecond - 1) / kMillisecond); }

const Wait kWaits[] = {
    {"ByWait",
     [](int set, epoll_event* events, int most, std::int64_t ns) {
       return ::epoll_wait(set, events, most, round_up_ms(ns));
     },
     true},
    {"ByPwait",
     [](int set, epoll_event* events, int most, std::int64_t ns) {
       return ::epoll_pwait(set, events, most, round_up_ms(ns), nullptr);
     },
     true},
    {"ByPwait2",
     [](int set, epoll_event* events, int most, std::int64_t ns) {
       const timespec time{ns / kSecond, ns % kSecond};
       return ::epoll_pwait2(set, events, most, ns < 0 ? nullptr : &time, nullptr);
     },
     &::epoll_pwait2 != nullptr},
};

class EpollWaitTest : public ::testing::TestWithParam<Wait> {
 protected:
  void SetUp() override {
    handled = 0;
    if (!GetParam().available) GTEST_SKIP() << "this libc has no epoll_pwait2 (it came with glibc 2.35)";
    epoll_event event;
    if (GetParam().call(set.get(), &event, 1, 0) < 0 && errno == ENOSYS)
      GTEST_SKIP() << "this kernel has no epoll_pwait2 (it came with Linux 5.11)";
  }
  int wait(std::int64_t ns = 0) { return GetParam().call(set.get(), events, 8, ns); }
  EpollSet set;
  epoll_event events[8];
};
INSTANTIATE_TEST_SUITE_P(Wait, EpollWaitTest, ::testing::ValuesIn(kWaits),
                         [](const ::testing::TestParamInfo<Wait>& which) { return which.param.name; });

TEST_P(EpollWaitTest, RefusesBadArguments) {
  const auto call = GetParam().call;
  const Descriptor event = make_event(1);
  ASSERT_EQ(0, set.add(event.get(), EPOLLIN));
  for (const int most : {0, -1, INT32_MAX}) EXPECT_FAILS(EINVAL, call(set.get(), events, most, 0));
  EXPECT_FAILS(EINVAL, call(event.get(), events, 8, 0));
  EXPECT_FAILS(EBADF, call(-1, events, 8, 0));
  EpollSet gone;
  const int number = gone.get();
  gone.close();
  EXPECT_FAILS(EBADF, call(number, events, 8, 0));
  EXPECT_EQ(1, wait());
}

TEST_P(EpollWaitTest, UnwritableBufferIsAFaultOnlyIfThereIsAnEvent) {
  auto* nowhere = static_cast<epoll_event*>(::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  for (const unsigned trigger : {0U, static_cast<unsigned>(EPOLLET)}) {
    const Descriptor event = make_event();
    ASSERT_EQ(0, set.add(event.get(), EPOLLIN | trigger));
    EXPECT_EQ(0, GetParam().call(set.get(), nowhere, 8, 0));
    add_to_event(event.get());
    EXPECT_FAILS(EFAULT, GetParam().call(set.get(), nowhere, 8, 0));
    EXPECT_EQ(1, wait());  // and the event was not lost
  }
  ::munmap(nowhere, 4096);
}

TEST_P(EpollWaitTest, NeverReturnsEarly) {
  for (const std::int64_t ns : {std::int64_t{1}, kMillisecond, 3 * kMillisecond, 20 * kMillisecond}) {
    const Stopwatch watch;
    EXPECT_EQ(0, wait(ns));
    EXPECT_TRUE(watch.in_time(ns)) << ns;
  }
}

TEST_P(EpollWaitTest, EndsWithAnEventOrWithAnEntryAddedMeanwhile) {
  const Descriptor first = make_event();
  const Descriptor second = make_event(1);
  ASSERT_EQ(0, set.add(first.get(), EPOLLIN, 1));
  std::thread writer([&] {
    sleep_ns(3 * kMillisecond);
    add_to_event(first.get());
  });
  EXPECT_EQ(1, wait(-1));
  EXPECT_EQ(1U, events[0].data.u64);
  writer.join();
  drain(first.get());
  std::thread adder([&] {
    sleep_ns(3 * kMillisecond);
    EXPECT_EQ(0, set.add(second.get(), EPOLLIN, 2));
  });
  EXPECT_EQ(1, wait(20 * kSecond));
  EXPECT_EQ(2U, events[0].data.u64);
  adder.join();
}

TEST_P(EpollWaitTest, HandlerInterruptsWhetherOrNotItRestartsCalls) {
  for (const int flags : {0, SA_RESTART}) {
    const Handler handler(SIGALRM, count_signal, flags);
    const RepeatedAlarm alarm(8);
    for (const std::int64_t ns : {20 * kSecond, std::int64_t{-1}}) EXPECT_FAILS(EINTR, wait(ns));
  }
  EXPECT_LE(4, handled);
}

TEST_P(EpollWaitTest, SignalsWithoutAHandlerAreNotNoticed) {
  const Handler ignored(SIGALRM, SIG_IGN);
  const RepeatedAlarm alarm(2);
  const Stopwatch watch;
  EXPECT_EQ(0, wait(20 * kMillisecond));
  EXPECT_TRUE(watch.in_time(20 * kMillisecond));
}

TEST_P(EpollWaitTest, StopAndContinueInterrupt) {
  const pid_t child = start_child([&] {
    REQUIRE_IN_CHILD(wait(20 * kSecond) == -1 && errno == EINTR);
  });
  const Stopwatch watch;
  int status = 0;
  while (::waitpid(child, &status, WNOHANG) == 0 && watch.elapsed() < 10 * kSecond) {
    sleep_ns(10 * kMillisecond);
    ::kill(child, SIGSTOP);
    sleep_ns(kMillisecond);
    ::kill(child, SIGCONT);
  }
  EXPECT_EQ(0, status);
  EXPECT_TRUE(watch.elapsed() < 10 * kSecond);
}

TEST_P(EpollWaitTest, OtherThreadsMayChangeTheSetDuringTheWait) {
  const Descriptor event = make_event();
  ASSERT_EQ(0, set.add(event.get(), EPOLLIN));
  std::thread other([&] {
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(0, set.remove(event.get()));
      EXPECT_EQ(0, set.add(event.get(), EPOLLIN));
    }
    add_to_event(event.get());
  });
  EXPECT_EQ(1, wait(20 * kSecond));
  other.join();
}

class EpollMaskTest : public ::testing::Test {
 protected:
  void SetUp() override { handled = 0; }
  EpollSet set;
  epoll_event events[8];
};

TEST_F(EpollMaskTest, PendingSignalIsLeftAloneWithoutTimeToWait) {
  const Handler handler(SIGUSR1, count_signal);
  const Blocked blocked(SIGUSR1);
  const sigset_t none = empty_set();
  ::raise(SIGUSR1);
  for (int round = 0; round < 4; ++round) {
    EXPECT_EQ(0, ::epoll_pwait(set.get(), events, 8, 0, &none));
    EXPECT_EQ(0, handled);
    EXPECT_TRUE(is_pending(SIGUSR1));
  }
  EXPECT_FAILS(EINTR, ::epoll_pwait(set.get(), events, 8, 20'000, &none));
  EXPECT_EQ(1, handled);
  EXPECT_FALSE(is_pending(SIGUSR1));
}

TEST_F(EpollMaskTest, ReadyEntryWinsOverAPendingSignal) {
  const Handler handler(SIGUSR1, count_signal);
  const Blocked blocked(SIGUSR1);
  const sigset_t none = empty_set();
  const Descriptor event = make_event(1);
  ASSERT_EQ(0, set.add(event.get(), EPOLLIN));
  ::raise(SIGUSR1);
  EXPECT_EQ(1, ::epoll_pwait(set.get(), events, 8, 20'000, &none));
  EXPECT_EQ(0, handled);
  EXPECT_TRUE(is_pending(SIGUSR1));
}

TEST_F(EpollMaskTest, MaskBlocksDuringTheCallAndIsPutBack) {
  const Handler handler(SIGALRM, count_signal);
  sigset_t full;
  sigfillset(&full);
  const itimerval once{{0, 0}, {0, 2000}};
  ::setitimer(ITIMER_REAL, &once, nullptr);
  const Stopwatch watch;
  EXPECT_EQ(0, ::epoll_pwait(set.get(), events, 8, 15, &full));
  EXPECT_TRUE(watch.in_time(15 * kMillisecond));
  EXPECT_EQ(1, handled);
  const sigset_t after = current_mask();
  for (const int signal : {SIGALRM, SIGUSR1, SIGTERM, SIGINT}) EXPECT_EQ(0, sigismember(&after, signal));
}

TEST_F(EpollMaskTest, NanosecondWaitTakesAMaskAndRefusesBadTimes) {
  if (&::epoll_pwait2 == nullptr) GTEST_SKIP() << "this libc has no epoll_pwait2 (it came with glibc 2.35)";
  const timespec zero{};
  if (::epoll_pwait2(set.get(), events, 8, &zero, nullptr) < 0 && errno == ENOSYS)
    GTEST_SKIP() << "this kernel has no epoll_pwait2 (it came with Linux 5.11)";
  for (const timespec bad : {timespec{-1, 0}, timespec{0, -1}, timespec{0, 1'000'000'000}})
    EXPECT_FAILS(EINVAL, ::epoll_pwait2(set.get(), events, 8, &bad, nullptr));
  auto* volatile nowhere = reinterpret_cast<const timespec*>(8);
  EXPECT_FAILS(EFAULT, ::epoll_pwait2(set.get(), events, 8, nowhere, nullptr));
  const Handler handler(SIGUSR1, count_signal);
  const Blocked blocked(SIGUSR1);
  ::raise(SIGUSR1);
  const sigset_t none = empty_set();
  const timespec exact{0, 1'234'567};
  const timespec longer{20, 0};
  const Stopwatch watch;
  EXPECT_EQ(0, ::epoll_pwait2(set.get(), events, 8, &zero, &none));
  EXPECT_EQ(0, ::epoll_pwait2(set.get(), events, 8, &exact, nullptr));
  EXPECT_TRUE(watch.in_time(1'234'567));
  EXPECT_EQ(1'234'567, exact.tv_nsec);
  EXPECT_FAILS(EINTR, ::epoll_pwait2(set.get(), events, 8, &longer, &none));
  EXPECT_EQ(1, handled);
}

}  // namespace
}  // namespace conformance
