// poll: several threads and processes with the same descriptors, and threads that come and go.
//
// poll is level-triggered for everybody: each of any number of pollers is told of one event, and a poller's exit or
// another's change must not be felt by the rest.
#include <algorithm>
#include <atomic>
#include <thread>

#include "support/child.hpp"
#include "support/padded_array.hpp"

namespace conformance {
namespace {

class PollThreadTest : public ArrayTest {};
CONFORMANCE_EVERY_SHAPE(PollThreadTest);

// Arrays of several threads at once, within the usual limit of descriptors.
Shape fewer(Shape shape) {
  shape.padding = std::min<std::size_t>(shape.padding, 70);
  return shape;
}

TEST_P(PollThreadTest, OneEventWakesEveryThread) {
  const Descriptor event = make_event();
  array.add(event.get(), POLLIN);
  constexpr int kThreads = 8;
  std::atomic<int> ready = 0;
  std::atomic<int> woken = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      std::vector<pollfd> own(array.entries());
      for (int round = 0; round < kRounds; ++round) ::poll(own.data(), own.size(), 0);
      ++ready;
      woken += ::poll(own.data(), own.size(), 20'000);
    });
  }
  while (ready < kThreads) sleep_ns(kMillisecond);
  sleep_ns(2 * kMillisecond);
  add_to_event(event.get());
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(kThreads, woken);
}

TEST_P(PollThreadTest, ThreadsMayPollTheVerySameArray) {
  const Descriptor event = make_event(1);
  array.add(event.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({POLLIN}));
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 50; ++round) wrong += ::poll(array.data(), array.size(), 1000) != 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(0, wrong);
  EXPECT_EQ(POLLIN, array.subject(0).revents);
}

TEST_P(PollThreadTest, DataTakenByAnotherThreadIsNotReported) {
  const Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  for (int turn = 0; turn < 10; ++turn) {
    std::thread([&] { put(pipe.out.get()); }).join();
    ASSERT_TRUE(array.answers({POLLIN}));
    std::thread([&] { drain(pipe.in.get()); }).join();
    ASSERT_TRUE(array.answers({0}));
  }
}

TEST_P(PollThreadTest, DescriptorReplacedByAnotherThreadIsFollowedByAllPollers) {
  Pipe first = make_pipe();
  const Pipe second = make_pipe();
  put(second.out.get());
  array.add(first.in.get(), POLLIN);
  std::atomic<int> phase = 0;
  std::atomic<int> prepared = 0;
  std::vector<int> results(4, -1);
  std::vector<std::thread> threads;
  for (int& result : results) {
    threads.emplace_back([&] {
      std::vector<pollfd> own(array.entries());
      for (int round = 0; round < kRounds; ++round) ::poll(own.data(), own.size(), 0);
      ++prepared;
      while (phase == 0) sleep_ns(kMillisecond / 10);
      result = ::poll(own.data(), own.size(), 0);
    });
  }
  while (prepared < 4) sleep_ns(kMillisecond / 10);
  ::dup2(second.in.get(), first.in.get());
  phase = 1;
  for (std::thread& thread : threads) thread.join();
  for (const int result : results) EXPECT_EQ(1, result);
}

TEST_P(PollThreadTest, DescriptorClosedDuringASleepDoesNotHangIt) {
  Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  std::thread closer([&] {
    sleep_ns(2 * kMillisecond);
    pipe.in.close();
  });
  const Stopwatch watch;
  const int result = array.call(60);  // what it says is nobody's promise; that it says something is
  EXPECT_TRUE(watch.prompt());
  EXPECT_TRUE(result == 0 || (result == 1 && array.subject(0).revents == POLLNVAL)) << result;
  closer.join();
  EXPECT_TRUE(array.keeps_answering({POLLNVAL}));
}

TEST_P(PollThreadTest, ThreadsThatComeAndGoLeaveNoDescriptorBehind) {
  const Pipe pipe = make_pipe();
  put(pipe.out.get());
  array.add(pipe.in.get(), POLLIN);
  expect_in_child([&] {
    rlimit limit{};
    REQUIRE_IN_CHILD(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = array.size() + 400;
    if (limit.rlim_cur > limit.rlim_max) limit.rlim_cur = limit.rlim_max;
    REQUIRE_IN_CHILD(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
    const int lowest = ::dup(0);
    ::close(lowest);
    for (int i = 0; i < 150; ++i) {
      std::thread([&] {
        for (int round = 0; round < kRounds; ++round)
          REQUIRE_IN_CHILD(::poll(array.data(), array.size(), 0) == 1);
      }).join();
    }
    const int now_lowest = ::dup(0);
    REQUIRE_IN_CHILD(now_lowest == lowest);
    std::vector<int> rest;
    for (int fd; (fd = ::dup(0)) >= 0;) rest.push_back(fd);
    REQUIRE_IN_CHILD(errno == EMFILE);
    REQUIRE_IN_CHILD(rest.back() == static_cast<int>(limit.rlim_cur) - 1);
  });
}

TEST_P(PollThreadTest, ManyThreadsWithArraysOfTheirOwnAtOnce) {
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&wrong, shape = fewer(GetParam())] {
      PaddedArray own(shape);
      const Pipe pipe = make_pipe();
      own.add(pipe.in.get(), POLLIN);
      for (int turn = 0; turn < 20; ++turn) {
        wrong += !own.answers({0});
        put(pipe.out.get());
        wrong += !own.answers({POLLIN}, 1000);
        drain(pipe.in.get());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(0, wrong);
}

TEST_P(PollThreadTest, ArrayMayBeHandedFromThreadToThread) {
  const Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  for (int turn = 0; turn < 6; ++turn) {
    const bool ready = turn % 2 == 1;
    if (ready) put(pipe.out.get());
    std::thread([&] { EXPECT_TRUE(array.keeps_answering({static_cast<short>(ready ? POLLIN : 0)})); }).join();
    EXPECT_TRUE(array.keeps_answering({static_cast<short>(ready ? POLLIN : 0)}));
    drain(pipe.in.get());
  }
}

TEST_P(PollThreadTest, DescriptorsPassedRoundByManyThreadsStayExact) {
  // Every thread closes and opens; numbers wander from thread to thread. A poller's own pipe must be told from others'.
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&, shape = fewer(GetParam())] {
      IdleDescriptors idle(shape.padding);
      std::vector<pollfd> fds;
      for (std::size_t at = 0; at < idle.size(); ++at) fds.push_back({idle[at], POLLIN, 0});
      fds.push_back({-1, POLLIN, 0});
      while (!stop) {
        const Pipe pipe = make_pipe();
        fds.back().fd = pipe.in.get();
        wrong += ::poll(fds.data(), fds.size(), 0) != 0;
        put(pipe.out.get());
        wrong += ::poll(fds.data(), fds.size(), 5000) != 1;
        wrong += fds.back().revents != POLLIN;
        drain(pipe.in.get());
        wrong += ::poll(fds.data(), fds.size(), 0) != 0;
      }
    });
  }
  sleep_ns(60 * kMillisecond);
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(0, wrong);
}

}  // namespace
}  // namespace conformance
