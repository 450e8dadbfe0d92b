// poll and ppoll: signals, masks, and what an interrupted call leaves behind.
//
// A handler ends the call with EINTR, with or without SA_RESTART; a signal without a handler does not. ppoll swaps the
// mask for the call alone: a pending signal is let in if nothing is ready, and stays pending if something is.
#include <setjmp.h>

#include "support/child.hpp"
#include "support/padded_array.hpp"
#include "support/signals.hpp"

namespace conformance {
namespace {

volatile sig_atomic_t handled = 0;
void count_signal(int) { handled = handled + 1; }

constexpr short kWritten = 77;
volatile short* written = nullptr;
void write_to_the_array(int) { *written = kWritten; }

class PollSignalTest : public ArrayTest {
 protected:
  void SetUp() override { handled = 0; }
  int ppoll_with(const sigset_t& mask, long ns = 0) {
    const timespec time{ns / kSecond, ns % kSecond};
    for (pollfd& entry : array.entries()) entry.revents = kGarbage;
    return ::ppoll(array.data(), array.size(), &time, &mask);
  }
};
CONFORMANCE_FEW_SHAPES(PollSignalTest);

TEST_P(PollSignalTest, HandlerInterruptsWhetherOrNotItRestartsCalls) {
  const Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  for (const int flags : {0, SA_RESTART}) {
    const Handler handler(SIGALRM, count_signal, flags);
    const RepeatedAlarm alarm(12);
    for (int round = 0; round < 3; ++round) {
      const Stopwatch watch;
      EXPECT_EQ(-1, array.call(20'000));
      EXPECT_EQ(EINTR, errno);
      EXPECT_TRUE(watch.prompt());
      EXPECT_TRUE(array.shows_nothing());
    }
  }
  EXPECT_LE(6, handled);
  EXPECT_TRUE(array.keeps_answering({0}));
  put(pipe.out.get());
  EXPECT_TRUE(array.keeps_answering({POLLIN}));
}

// The kernel has written the array by the time that the handler runs.
TEST_P(PollSignalTest, WhatTheHandlerWritesToTheArrayStays) {
  const Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  const Handler handler(SIGALRM, write_to_the_array);
  written = &array.subject(0).revents;
  for (const int every_ms : {1, 2, 4, 7, 20}) {
    {
      const RepeatedAlarm alarm(every_ms);
      EXPECT_EQ(-1, array.call(-1));
      EXPECT_EQ(EINTR, errno);
    }
    EXPECT_EQ(kWritten, *written);
    *written = 0;
    EXPECT_TRUE(array.shows_nothing());
  }
}

TEST_P(PollSignalTest, EndlessSleepIsInterrupted) {
  const Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  const Handler handler(SIGALRM, count_signal, SA_RESTART);
  for (const int every_ms : {1, 2, 4, 7, 20}) {
    const RepeatedAlarm alarm(every_ms);
    EXPECT_EQ(-1, array.call(-1));
    EXPECT_EQ(EINTR, errno);
  }
}

TEST_P(PollSignalTest, SignalsWithoutAHandlerAreNotNoticed) {
  const Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  const Handler ignored(SIGALRM, SIG_IGN);
  const RepeatedAlarm alarm(2);
  const Stopwatch watch;
  EXPECT_TRUE(array.answers({0}, 40));
  EXPECT_TRUE(watch.in_time(40 * kMillisecond));
}

TEST_P(PollSignalTest, BlockedSignalDoesNotInterrupt) {
  const Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  const Handler handler(SIGALRM, count_signal);
  {
    const Blocked blocked(SIGALRM);
    const RepeatedAlarm alarm(2);
    const Stopwatch watch;
    EXPECT_TRUE(array.answers({0}, 40));
    EXPECT_TRUE(watch.in_time(40 * kMillisecond));
    EXPECT_EQ(0, handled);
  }
  EXPECT_EQ(1, handled);
}

TEST_P(PollSignalTest, PendingSignalIsLetInByTheMaskIfNothingIsReady) {
  const Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  const Handler handler(SIGUSR1, count_signal, SA_RESTART);
  const Blocked blocked(SIGUSR1);
  for (int round = 0; round < kRounds; ++round) {
    for (const long ns : {0L, 20 * kSecond}) {
      handled = 0;
      ::raise(SIGUSR1);
      const Stopwatch watch;
      EXPECT_EQ(-1, ppoll_with(empty_set(), ns));
      EXPECT_EQ(EINTR, errno);
      EXPECT_TRUE(watch.prompt());
      EXPECT_EQ(1, handled);
      EXPECT_FALSE(is_pending(SIGUSR1));
      EXPECT_TRUE(array.shows_nothing());
    }
  }
}

TEST_P(PollSignalTest, ReadyDescriptorWinsOverAPendingSignal) {
  const Pipe pipe = make_pipe();
  put(pipe.out.get());
  array.add(pipe.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({POLLIN}));
  const Handler handler(SIGUSR1, count_signal);
  const Blocked blocked(SIGUSR1);
  ::raise(SIGUSR1);
  for (int round = 0; round < kRounds; ++round) {
    for (const long ns : {0L, 20 * kSecond}) {
      EXPECT_EQ(1, ppoll_with(empty_set(), ns));
      EXPECT_EQ(POLLIN, array.subject(0).revents);
      EXPECT_EQ(0, handled);
      EXPECT_TRUE(is_pending(SIGUSR1));
    }
  }
  drain(pipe.in.get());
  EXPECT_EQ(-1, ppoll_with(empty_set()));
  EXPECT_EQ(1, handled);
}

TEST_P(PollSignalTest, PendingSignalThatTheMaskKeepsOutChangesNothing) {
  const Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  const Handler handler(SIGUSR1, count_signal);
  const Blocked blocked(SIGUSR1);
  ::raise(SIGUSR1);
  const sigset_t mask = set_of(SIGUSR1);
  for (int round = 0; round < kRounds; ++round) {
    const Stopwatch watch;
    EXPECT_EQ(0, ppoll_with(mask, 3 * kMillisecond));
    EXPECT_TRUE(watch.in_time(3 * kMillisecond));
    EXPECT_EQ(0, ppoll_with(mask, 0));
  }
  EXPECT_EQ(0, handled);
  EXPECT_TRUE(is_pending(SIGUSR1));
}

TEST_P(PollSignalTest, MaskBlocksDuringTheCallOnly) {
  const Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  const Handler handler(SIGALRM, count_signal);
  sigset_t full;
  sigfillset(&full);
  const sigset_t before = current_mask();
  for (int round = 0; round < 4; ++round) {
    handled = 0;
    const itimerval once{{0, 0}, {0, 2000}};
    ::setitimer(ITIMER_REAL, &once, nullptr);
    EXPECT_EQ(0, ppoll_with(full, 12 * kMillisecond));  // slept through the alarm
    EXPECT_EQ(1, handled);                              // which came in when the call was over
    const sigset_t after = current_mask();
    for (int signal = 1; signal < SIGRTMIN; ++signal)
      EXPECT_EQ(sigismember(&before, signal), sigismember(&after, signal)) << signal;
  }
}

TEST_P(PollSignalTest, MaskIsRestoredAfterEveryKindOfReturn) {
  const Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  const Handler handler(SIGUSR1, count_signal);
  const Blocked blocked(SIGUSR1);
  auto blocked_as_before = [] {
    const sigset_t mask = current_mask();
    return sigismember(&mask, SIGUSR1) == 1 && sigismember(&mask, SIGUSR2) == 0 && sigismember(&mask, SIGALRM) == 0;
  };
  const sigset_t other = set_of(SIGUSR2);
  for (int round = 0; round < kRounds; ++round) {
    EXPECT_EQ(0, ppoll_with(other));
    EXPECT_TRUE(blocked_as_before());
    put(pipe.out.get());
    EXPECT_EQ(1, ppoll_with(other));
    EXPECT_TRUE(blocked_as_before());
    drain(pipe.in.get());
    ::raise(SIGUSR1);
    EXPECT_EQ(-1, ppoll_with(other, 5 * kSecond));
    EXPECT_TRUE(blocked_as_before());
  }
}

TEST_P(PollSignalTest, HandlerThatMakesADescriptorReadyDoesNotHideItself) {
  static int out;
  const Pipe pipe = make_pipe();
  out = pipe.out.get();
  array.add(pipe.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  const Handler handler(SIGALRM, [](int) { (void)!::write(out, "x", 1); });
  for (const int ms : {1, 2, 4, 7, 12}) {
    const RepeatedAlarm alarm(ms);
    const int result = array.call(20'000);
    EXPECT_TRUE(result == 1 || (result == -1 && errno == EINTR));
    RepeatedAlarm::stop();
    EXPECT_TRUE(array.keeps_answering({POLLIN}));
    drain(pipe.in.get());
  }
}

TEST_P(PollSignalTest, PollInAHandlerThatInterruptedThePollOfTheSameArray) {
  static PaddedArray* shared;
  static volatile sig_atomic_t wrong;
  shared = &array;
  wrong = 0;
  const Pipe pipe = make_pipe();
  put(pipe.out.get());
  array.add(pipe.in.get(), POLLPRI);
  array.add(pipe.in.get(), POLLRDBAND);
  EXPECT_TRUE(array.keeps_answering({0, 0}));
  const Handler handler(SIGALRM, [](int) {
    const int before = errno;
    std::vector<pollfd>& entries = shared->entries();
    shared->subject(0).events = POLLIN;
    if (::poll(entries.data(), entries.size(), 0) != 1 || shared->subject(0).revents != POLLIN) wrong = wrong + 1;
    shared->subject(0).events = POLLPRI;
    if (::poll(entries.data(), entries.size(), 0) != 0) wrong = wrong + 1;
    handled = handled + 1;
    errno = before;
  });
  for (const int every_ms : {2, 4, 11}) {
    const RepeatedAlarm alarm(every_ms);
    for (int round = 0; round < 3; ++round) {
      EXPECT_EQ(-1, ::poll(array.data(), array.size(), 20'000));
      EXPECT_EQ(EINTR, errno);
    }
  }
  EXPECT_EQ(0, wrong);
  EXPECT_LE(9, handled);
  EXPECT_TRUE(array.keeps_answering({0, 0}));
}

TEST_P(PollSignalTest, PollInterruptedAtAnyMomentByAHandlerThatPolls) {
  static PaddedArray* shared;
  static volatile sig_atomic_t wrong;
  wrong = 0;
  PaddedArray inner(GetParam());
  const Descriptor event = make_event(1);
  inner.add(event.get(), POLLIN);
  shared = &inner;
  const Pipe pipe = make_pipe();
  put(pipe.out.get());
  array.add(pipe.in.get(), POLLIN);
  const Handler handler(SIGALRM, [](int) {
    const int before = errno;
    if (::poll(shared->data(), shared->size(), 0) != 1 || shared->subject(0).revents != POLLIN) wrong = wrong + 1;
    handled = handled + 1;
    errno = before;
  });
  const itimerval often{{0, 300}, {0, 300}};
  ::setitimer(ITIMER_REAL, &often, nullptr);
  for (int turn = 0; turn < 400; ++turn) {
    array.subject(0).events = turn % 2 ? POLLIN : POLLPRI;
    const int result = ::poll(array.data(), array.size(), 0);
    ASSERT_TRUE(result == turn % 2 || (result == -1 && errno == EINTR));
  }
  RepeatedAlarm::stop();
  EXPECT_EQ(0, wrong);
  array.subject(0).events = POLLIN;
  EXPECT_TRUE(array.keeps_answering({POLLIN}));
}

TEST_P(PollSignalTest, JumpOutOfAHandlerThatInterruptedALongPoll) {
  static sigjmp_buf back;
  static int turn;
  const Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  const Handler handler(SIGALRM, [](int) {
    RepeatedAlarm::stop();
    siglongjmp(back, 1);
  });
  for (turn = 0; turn < 24; ++turn) {
    if (sigsetjmp(back, 1) == 0) {
      const itimerval soon{{0, 1000}, {0, 200 + 600 * turn}};
      ::setitimer(ITIMER_REAL, &soon, nullptr);
      for (;;) ::poll(array.data(), array.size(), 20'000);
    }
    ASSERT_TRUE(array.answers({0}));
    put(pipe.out.get());
    ASSERT_TRUE(array.answers({POLLIN}, 20'000));
    ASSERT_TRUE(array.answers({POLLIN}));
    drain(pipe.in.get());
    ASSERT_TRUE(array.answers({0}, turn % 3));
  }
}

TEST_P(PollSignalTest, JumpOutOfAHandlerThatInterruptedPpollLeavesTheMaskToTheJump) {
  static sigjmp_buf back;
  static int turn;
  const Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  const Handler handler(SIGUSR1, [](int) { siglongjmp(back, 1); });
  const Blocked blocked(SIGUSR1);
  for (turn = 0; turn < 12; ++turn) {
    ::raise(SIGUSR1);
    if (sigsetjmp(back, 1) == 0) {
      ppoll_with(empty_set(), 20 * kSecond);
      ADD_FAILURE() << "the handler did not run";
    }
    const sigset_t mask = current_mask();
    ASSERT_EQ(1, sigismember(&mask, SIGUSR1));
    put(pipe.out.get());
    ASSERT_EQ(1, ppoll_with(empty_set(), 0));
    drain(pipe.in.get());
    ASSERT_TRUE(array.answers({0}));
  }
}

TEST_P(PollSignalTest, JumpOutOfAPollThatBuildsItsArrayAnew) {
  static sigjmp_buf back;
  static int turn;
  const Pipe pipe = make_pipe();
  put(pipe.out.get());
  array.add(pipe.in.get(), POLLIN);
  const IdleDescriptors others(GetParam().padding);
  const Handler handler(SIGALRM, [](int) { siglongjmp(back, 1); });
  for (turn = 0; turn < 40; ++turn) {
    if (sigsetjmp(back, 1) == 0) {
      const itimerval soon{{0, 0}, {0, 20 + 13 * turn}};
      ::setitimer(ITIMER_REAL, &soon, nullptr);
      for (unsigned round = 0;; ++round) {
        for (std::size_t i = 0; i < others.size(); ++i) array.entries()[i].fd = round % 2 ? others[i] : ~others[i];
        array.entries().back().fd = pipe.in.get();
        ::poll(array.data(), array.size(), 0);
      }
    }
    ASSERT_TRUE(array.agrees_with_kernel());
    ASSERT_TRUE(array.agrees_with_kernel());
  }
}

}  // namespace
}  // namespace conformance
