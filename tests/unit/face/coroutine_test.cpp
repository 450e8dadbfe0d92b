// Coroutines on a queue: each source, deadlines, two frames on one descriptor, and frames that go while they wait.
#include <kev/kev.hpp>

#include <gtest/gtest.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

#include "support/signals.hpp"

namespace {

using namespace std::chrono_literals;

class FaceCoroutineTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(0, ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair)); }
  void TearDown() override {
    // No frame, no registration.
    EXPECT_EQ(0u, loop.size());
    EXPECT_EQ(0u, registrations());
    for (int fd : pair) ::close(fd);
  }
  unsigned registrations() { return loop.queue().query().value().registrations; }
  void send(const char* text) { ASSERT_EQ(1, ::write(pair[1], text, 1)); }
  static void fill(int fd) {
    char block[4096] = {};
    while (::write(fd, block, sizeof block) > 0) {
    }
  }
  static void drain(int fd) {
    char block[4096];
    while (::read(fd, block, sizeof block) > 0) {
    }
  }
  void run() { EXPECT_FALSE(loop.run()); }

  int pair[2];
  kev::Loop loop;
  std::string log;

  kev::Task<> note_readable(const char* name, kev::Deadline deadline = {}) {
    kev::Event event = co_await loop.readable(pair[0], deadline);
    log += event ? name : event.error() == std::errc::timed_out ? "timeout" : "error";
  }
  kev::Task<> note_writable(const char* name) {
    kev::Event event = co_await loop.writable(pair[0]);
    log += event ? name : "error";
  }
  kev::Task<> note_futex(const std::atomic<std::uint32_t>& word, kev::Event& event, kev::Deadline deadline = {}) {
    event = co_await loop.futex(word, 0, deadline);
  }
};

long wake(std::atomic<std::uint32_t>& word) {
  return ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}
bool has_futexes() { return kev_supports(KEV_SOURCE_FUTEX, 0, 0) == 1; }

TEST_F(FaceCoroutineTest, AFrameGoesOnWhenItsDescriptorIsReadable) {
  loop.spawn(note_readable("read"));
  EXPECT_EQ("", log);
  send("x");
  run();
  EXPECT_EQ("read", log);
}

TEST_F(FaceCoroutineTest, OneReadsAndOneWritesOnTheSameDescriptor) {
  fill(pair[0]);
  loop.spawn(note_readable("read "));
  loop.spawn(note_writable("written "));
  EXPECT_EQ(1u, registrations());
  drain(pair[1]);
  ASSERT_TRUE(loop.run_once(10s));
  EXPECT_EQ("written ", log);
  send("x");
  run();
  EXPECT_EQ("written read ", log);
}

TEST_F(FaceCoroutineTest, SeveralReadersAreAllResumed) {
  loop.spawn(note_readable("a"));
  loop.spawn(note_readable("b"));
  loop.spawn(note_readable("c"));
  send("x");
  run();
  EXPECT_EQ("abc", log);
}

TEST_F(FaceCoroutineTest, ADescriptorThatIsNoneIsToldInTheEvent) {
  auto task = [](kev::Loop& on, std::error_code& error) -> kev::Task<> {
    error = (co_await on.readable(-1)).error();
    kev::Event event = co_await on.writable(1000);
    if (event.error() != std::errc::bad_file_descriptor) error = {};
  };
  std::error_code error;
  loop.spawn(task(loop, error));
  EXPECT_EQ(std::errc::bad_file_descriptor, error);
}

TEST_F(FaceCoroutineTest, ADeadlineEndsAWait) {
  loop.spawn(note_readable("read", 1ms));
  run();
  EXPECT_EQ("timeout", log);
  loop.spawn(note_readable("read", 1h));
  send("x");
  run();
  EXPECT_EQ("timeoutread", log);
}

TEST_F(FaceCoroutineTest, WhatComesWithTheDeadlineCounts) {
  conformance::Blocked blocked{SIGUSR1};
  std::error_code error = std::make_error_code(std::errc::io_error);
  auto task = [](kev::Loop& on, std::error_code& into) -> kev::Task<> {
    into = (co_await on.signal(SIGUSR1, 1ns)).error();
  };
  loop.spawn(task(loop, error));
  ::kill(::getpid(), SIGUSR1);
  ::usleep(1000);
  run();
  // Either, but a signal is not lost.
  if (error) {
    EXPECT_EQ(std::errc::timed_out, error);
    sigset_t pending;
    ::sigpending(&pending);
    EXPECT_TRUE(sigismember(&pending, SIGUSR1));
    timespec none = {};
    sigset_t set = conformance::set_of(SIGUSR1);
    ::sigtimedwait(&set, nullptr, &none);
  }
}

TEST_F(FaceCoroutineTest, TimersExpireInTheirOrder) {
  auto task = [](kev::Loop& on, std::string& into, const char* name, kev::Deadline when) -> kev::Task<> {
    if (co_await on.timer(when)) into += name;
  };
  loop.spawn(task(loop, log, "third", 30ms));
  loop.spawn(task(loop, log, "second", std::chrono::steady_clock::now() + 20ms));
  loop.spawn(task(loop, log, "first", std::chrono::system_clock::now() + 5ms));
  run();
  EXPECT_EQ("firstsecondthird", log);
}

TEST_F(FaceCoroutineTest, SignalsComeOneByOne) {
  int signal = SIGRTMIN + 3;
  conformance::Blocked blocked{signal};
  auto task = [](kev::Loop& on, std::string& into, int signo) -> kev::Task<> {
    for (int i = 0; i < 3; ++i) into += std::to_string((co_await on.signal(signo)).data[2]);
  };
  loop.spawn(task(loop, log, signal));
  for (int i = 1; i <= 3; ++i) {
    sigval value = {};
    value.sival_int = i;
    ::sigqueue(::getpid(), signal, value);
  }
  run();
  EXPECT_EQ("123", log);
}

TEST_F(FaceCoroutineTest, AProcessIsReaped) {
  pid_t child = ::fork();
  if (child == 0) ::_exit(7);
  kev::Event event;
  auto task = [](kev::Loop& on, pid_t pid, kev::Event& into) -> kev::Task<> { into = co_await on.process(pid); };
  loop.spawn(task(loop, child, event));
  run();
  EXPECT_EQ(7, event.result);
  EXPECT_EQ(CLD_EXITED, static_cast<int>(event.data[0]));
  EXPECT_EQ(-1, ::waitpid(child, nullptr, 0));
}

TEST_F(FaceCoroutineTest, AFutexIsWaitedFor) {
  if (!has_futexes()) GTEST_SKIP() << "this kernel has no futex_waitv (5.16)";
  std::atomic<std::uint32_t> word{0};
  kev::Event event;
  loop.spawn(note_futex(word, event));
  std::thread other([&] {
    word = 1;
    wake(word);
  });
  run();
  other.join();
  EXPECT_EQ(1u, event.data[0]);
  loop.spawn(note_futex(word, event));
  run();
  EXPECT_EQ(KEV_CHANGED, event.what);
}

TEST_F(FaceCoroutineTest, TheSecondOnAWordIsTold) {
  if (!has_futexes()) GTEST_SKIP() << "this kernel has no futex_waitv (5.16)";
  std::atomic<std::uint32_t> word{0};
  kev::Event first, second;
  auto id = loop.spawn(note_futex(word, first));
  loop.spawn(note_futex(word, second));
  EXPECT_EQ(std::errc::file_exists, second.error());
  EXPECT_TRUE(loop.cancel(id));
}

TEST_F(FaceCoroutineTest, AFrameThatIsEndedLeavesNothingRegistered) {
  auto id = loop.spawn(note_readable("read", 1h));
  EXPECT_EQ(2u, registrations());
  EXPECT_TRUE(loop.cancel(id));
  EXPECT_EQ(0u, registrations());
  EXPECT_FALSE(loop.cancel(id));
  send("x");
  ASSERT_EQ(0u, loop.run_once(0s).value());
  EXPECT_EQ("", log);
}

TEST_F(FaceCoroutineTest, AnotherOnTheDescriptorIsLeftWaiting) {
  fill(pair[0]);
  auto id = loop.spawn(note_writable("written"));
  loop.spawn(note_readable("read"));
  EXPECT_TRUE(loop.cancel(id));
  send("x");
  run();
  EXPECT_EQ("read", log);
}

TEST_F(FaceCoroutineTest, AFrameCanEndOneWhoseEventStandsAlready) {
  kev::Loop::Id victim = 0;
  auto killer = [](kev::Loop& on, int fd, kev::Loop::Id& whom) -> kev::Task<> {
    co_await on.readable(fd);
    on.cancel(whom);
  };
  loop.spawn(killer(loop, pair[0], victim));
  victim = loop.spawn(note_readable("read"));
  send("x");
  run();
  EXPECT_EQ("", log);
}

TEST_F(FaceCoroutineTest, AFrameCanEndItself) {
  kev::Loop::Id self = 0;
  auto task = [](kev::Loop& on, kev::Loop::Id& id, std::string& into) -> kev::Task<> {
    co_await on.timer(0s);
    into += on.cancel(id) ? "ending " : "no ";
    co_await on.timer(1h);
    into += "after";
  };
  self = loop.spawn(task(loop, self, log));
  run();
  EXPECT_EQ("ending ", log);
}

TEST_F(FaceCoroutineTest, AWakeUpThatAnEndedFrameHadIsPassedOn) {
  if (!has_futexes()) GTEST_SKIP() << "this kernel has no futex_waitv (5.16)";
  std::atomic<std::uint32_t> word{0};
  std::atomic<bool> is_awake{false};
  kev::Event event;
  auto id = loop.spawn(note_futex(word, event));
  while (wake(word) != 1) std::this_thread::sleep_for(1ms);
  // The library's thread has taken it; another waiter comes.
  while (loop.queue().query()->ready == 0) std::this_thread::sleep_for(1ms);
  std::thread other([&] {
    ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
    is_awake = true;
  });
  std::this_thread::sleep_for(50ms);
  EXPECT_TRUE(loop.cancel(id));
  for (int i = 0; i < 500 && !is_awake; ++i) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(is_awake);
  while (!is_awake) wake(word);
  other.join();
}

TEST_F(FaceCoroutineTest, AWakeUpThatStoodForAnEndedFrameIsPassedOn) {
  if (!has_futexes()) GTEST_SKIP() << "this kernel has no futex_waitv (5.16)";
  std::atomic<std::uint32_t> word{0}, go{0};
  std::atomic<bool> is_awake{false};
  kev::Event event;
  kev::Loop::Id victim = 0;
  auto killer = [](kev::Loop& on, const std::atomic<std::uint32_t>& at, kev::Loop::Id& whom) -> kev::Task<> {
    co_await on.futex(at, 0);
    on.cancel(whom);
  };
  loop.spawn(killer(loop, go, victim));
  victim = loop.spawn(note_futex(word, event));
  unsigned ready = 0;
  for (auto* one : {&go, &word}) {
    while (wake(*one) != 1) std::this_thread::sleep_for(1ms);
    for (++ready; loop.queue().query()->ready < ready;) std::this_thread::sleep_for(1ms);
  }
  std::thread other([&] {
    ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
    is_awake = true;
  });
  std::this_thread::sleep_for(50ms);
  run();
  for (int i = 0; i < 500 && !is_awake; ++i) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(is_awake);
  EXPECT_EQ(0u, event.source);
  while (!is_awake) wake(word);
  other.join();
}

TEST_F(FaceCoroutineTest, ALoopEndsItsTasks) {
  {
    kev::Loop other;
    auto task = [](kev::Loop& on, int fd) -> kev::Task<> {
      auto inner = [](kev::Loop& within, int of) -> kev::Task<int> {
        co_await within.readable(of, 1h);
        co_return 1;
      };
      co_await inner(on, fd);
    };
    other.spawn(task(other, pair[0]));
    other.spawn(task(other, pair[0]));
    EXPECT_EQ(2u, other.size());
  }
}

TEST_F(FaceCoroutineTest, ValuesAndExceptionsReachWhoAwaits) {
  auto number = [](kev::Loop& on) -> kev::Task<int> {
    co_await on.timer(0s);
    co_return 42;
  };
  auto thrower = [](kev::Loop& on) -> kev::Task<int> {
    co_await on.timer(0s);
    throw std::runtime_error("thrown");
  };
  auto task = [&](kev::Loop& on, std::string& into) -> kev::Task<> {
    into += std::to_string(co_await number(on));
    try {
      co_await thrower(on);
    } catch (const std::runtime_error& error) {
      into += error.what();
    }
  };
  loop.spawn(task(loop, log));
  run();
  EXPECT_EQ("42thrown", log);
}

TEST_F(FaceCoroutineTest, WhatASpawnedTaskThrowsLeavesRunAndTheOthersGoOn) {
  auto thrower = [](kev::Loop& on, int fd) -> kev::Task<> {
    co_await on.readable(fd);
    throw std::runtime_error("thrown");
  };
  loop.spawn(thrower(loop, pair[0]));
  loop.spawn(note_readable("read"));
  send("x");
  EXPECT_THROW((void)loop.run(), std::runtime_error);
  EXPECT_EQ("", log);
  run();
  EXPECT_EQ("read", log);
}

TEST_F(FaceCoroutineTest, AnotherThreadStopsIt) {
  auto id = loop.spawn(note_readable("read"));
  std::thread other([&] {
    std::this_thread::sleep_for(5ms);
    loop.stop();
  });
  run();
  other.join();
  EXPECT_EQ(1u, loop.size());
  loop.cancel(id);
}

TEST_F(FaceCoroutineTest, ALoopDoesNotRunWithinItself) {
  std::error_code error;
  auto task = [](kev::Loop& on, std::error_code& into) -> kev::Task<> {
    into = on.run_once().error();
    co_return;
  };
  loop.spawn(task(loop, error));
  EXPECT_EQ(std::errc::resource_deadlock_would_occur, error);
}

TEST_F(FaceCoroutineTest, ManyFramesAreNoMatter) {
  int done = 0;
  auto task = [](kev::Loop& on, int& count, int i) -> kev::Task<> {
    for (int turn = 0; turn < 5; ++turn) co_await on.timer(std::chrono::microseconds(i % 97));
    ++count;
  };
  for (int i = 0; i < 2000; ++i) loop.spawn(task(loop, done, i));
  run();
  EXPECT_EQ(2000, done);
}

}  // namespace
