// poll: how long a call sleeps: never shorter than asked, no longer than the first event.
//
// Lower bounds are exact, upper ones generous. A sleep on a large array may be made of parts; together they must be the
// time that was asked for.
#include <thread>

#include "support/child.hpp"
#include "support/padded_array.hpp"

namespace conformance {
namespace {

class PollTimeoutTest : public ArrayTest {};
CONFORMANCE_FEW_SHAPES(PollTimeoutTest);

TEST_P(PollTimeoutTest, NeverReturnsEarly) {
  const Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  for (const int ms : {1, 2, 3, 4, 5, 6, 7, 10, 30}) {
    const Stopwatch watch;
    EXPECT_TRUE(array.answers({0}, ms));
    EXPECT_TRUE(watch.in_time(ms * kMillisecond)) << ms << " ms";
  }
}

TEST_P(PollTimeoutTest, NanosecondsCount) {
  const Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  for (const long ns : {1L, 999L, 100'000L, 1'500'000L, 4'999'999L, 5'000'001L, 9'900'001L}) {
    const timespec time{0, ns};
    const Stopwatch watch;
    EXPECT_EQ(0, ::ppoll(array.data(), array.size(), &time, nullptr));
    EXPECT_TRUE(watch.in_time(ns)) << ns;
    EXPECT_EQ(ns, time.tv_nsec);
    EXPECT_EQ(0, time.tv_sec);
  }
}

TEST_P(PollTimeoutTest, RequestedTimeIsNotModified) {
  const Pipe pipe = make_pipe();
  put(pipe.out.get());
  array.add(pipe.in.get(), POLLIN);
  timespec time{5, 123};
  for (int round = 0; round < kRounds; ++round) {
    EXPECT_EQ(1, ::ppoll(array.data(), array.size(), &time, nullptr));
    EXPECT_EQ(5, time.tv_sec);
    EXPECT_EQ(123, time.tv_nsec);
  }
}

TEST_P(PollTimeoutTest, TimeOutClearsEveryAnswer) {
  const Pipe pipe = make_pipe();
  array.add(pipe.in.get(), -1);
  array.add(-1, -1);
  for (int round = 0; round < kRounds; ++round) {
    EXPECT_EQ(0, array.call(1));
    EXPECT_TRUE(array.shows_nothing());
  }
}

TEST_P(PollTimeoutTest, ZeroDoesNotSleep) {
  const Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  const Stopwatch watch;
  for (int round = 0; round < 1000; ++round) ASSERT_EQ(0, array.call(0));
  EXPECT_TRUE(watch.prompt());
}

TEST_P(PollTimeoutTest, SleepEndsWithAnEvent) {
  const Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  for (const int ms : {0, 1, 3, 8, 20}) {
    for (const int timeout : {20'000, -1, -12345}) {
      const Stopwatch watch;
      std::thread writer([&] {
        sleep_ns(ms * kMillisecond);
        put(pipe.out.get());
      });
      EXPECT_TRUE(array.answers({POLLIN}, timeout));
      EXPECT_TRUE(watch.in_time(ms * kMillisecond));
      writer.join();
      EXPECT_TRUE(array.answers({POLLIN}, timeout));
      drain(pipe.in.get());
      EXPECT_TRUE(array.answers({0}));
    }
  }
}

TEST_P(PollTimeoutTest, SleepEndsWithAHangUpThatWasNotAskedFor) {
  for (int turn = 0; turn < 3; ++turn) {
    PaddedArray each(GetParam());
    Pipe pipe = make_pipe();
    each.add(pipe.in.get(), 0);
    EXPECT_TRUE(each.keeps_answering({0}));
    std::thread closer([&] {
      sleep_ns(turn * 6 * kMillisecond);
      pipe.out.close();
    });
    EXPECT_TRUE(each.answers({POLLHUP}, 20'000));
    closer.join();
  }
}

TEST_P(PollTimeoutTest, UninterestingEventsDoNotEndASleep) {
  const Pipe pair = make_socketpair(SOCK_STREAM);
  array.add(pair.in.get(), POLLPRI);
  EXPECT_TRUE(array.keeps_answering({0}));
  std::thread writer([&] {
    for (int i = 0; i < 20; ++i) {
      put(pair.out.get());
      sleep_ns(kMillisecond);
    }
  });
  const Stopwatch watch;
  EXPECT_TRUE(array.answers({0}, 30));
  EXPECT_TRUE(watch.in_time(30 * kMillisecond));
  writer.join();
}

TEST_P(PollTimeoutTest, EventThatIsTakenByAnotherDoesNotEndASleepEarly) {
  const Descriptor event = make_event();
  array.add(event.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  std::thread other([&] {
    for (int i = 0; i < 200; ++i) {
      add_to_event(event.get());
      drain(event.get());
    }
  });
  for (int round = 0; round < 20; ++round) {
    const Stopwatch watch;
    const int result = array.call(3);
    EXPECT_TRUE(result == 1 || watch.in_time(3 * kMillisecond));  // an empty answer took its whole time
    EXPECT_EQ(result, array.subject(0).revents == POLLIN);
  }
  other.join();
  EXPECT_TRUE(array.keeps_answering({0}));
}

TEST_P(PollTimeoutTest, StopAndContinueAreNotNoticed) {
  const pid_t child = start_child([&] {
    const Pipe pipe = make_pipe();
    array.add(pipe.in.get(), POLLIN);
    REQUIRE_IN_CHILD(array.keeps_answering({0}));
    const Stopwatch watch;
    REQUIRE_IN_CHILD(array.answers({0}, 150));
    REQUIRE_IN_CHILD(watch.in_time(150 * kMillisecond));
  });
  sleep_ns(40 * kMillisecond);
  for (int i = 0; i < 6; ++i) {
    ::kill(child, SIGSTOP);
    sleep_ns(3 * kMillisecond);
    ::kill(child, SIGCONT);
    sleep_ns(7 * kMillisecond);
  }
  EXPECT_EQ(0, status_of(child));
}

}  // namespace
}  // namespace conformance
