// Children of fork, made while threads cancel each other.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

#include "cancel/record.hpp"
#include "cancel/request.hpp"
#include "disturbance_fixture.hpp"
#include "support/descriptor.hpp"
#include "support/stopwatch.hpp"
#include "support/stub_call.hpp"
#include "support/target.hpp"

namespace kev::cancel {
namespace {

class ForkTest : public CancellerTest {
 protected:
  void SetUp() override {
    CancellerTest::SetUp();
    if (kThreadSanitizer) GTEST_SKIP() << "ThreadSanitizer allows no threads in a child of a process with threads";
  }

  // As long as it stands, threads are started and cancelled.
  struct Business {
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    Business() {
      for (int i = 0; i < 2; ++i)
        threads.emplace_back([&] {
          Jitter jitter;
          while (!stop) {
            Pipe pipe = make_pipe(O_CLOEXEC);
            Target target([&] {
              char byte;
              by_stub(SYS_read, pipe.in.get(), &byte, 1);
            });
            jitter.pass(20'000);
            target.cancel();
            target.join();
          }
        });
    }
    ~Business() {
      stop = true;
      for (std::thread& thread : threads) thread.join();
    }
  };

  static void expect_success(pid_t child) {
    int status = -1;
    ASSERT_GT(child, 0);
    ASSERT_EQ(child, ::waitpid(child, &status, 0));
    EXPECT_EQ(0, status);
  }
  // Ends the child if it hangs.
  static void begin_child() {
    after_fork();
    ::alarm(10);
  }
};

TEST_F(ForkTest, AChildStartsAndCancelsThreads) {
  Business business;
  for (int round = 0; round < 60; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      begin_child();
      bool good = true;
      for (int i = 0; i < 4; ++i) {
        Pipe pipe = make_pipe(O_CLOEXEC);
        Target target([&] {
          char byte;
          by_stub(SYS_read, pipe.in.get(), &byte, 1);
        });
        if (i % 2 == 0) wait_until_inside(target.thread());
        target.cancel();
        good = good && target.join();
      }
      ::_exit(good ? 0 : 1);
    }
    expect_success(child);
  }
}

TEST_F(ForkTest, AChildsOneThreadIsCancelled) {
  Business business;
  // Not GoogleTest's own thread, whose frames end every exception.
  Target forker([&] {
    for (int round = 0; round < 60; ++round) {
      const pid_t child = ::fork();
      if (child == 0) {
        begin_child();
        static pthread_t first;
        first = ::pthread_self();
        Pipe pipe = make_pipe(O_CLOEXEC);
        pthread_t other;
        ::pthread_create(&other, nullptr, [](void*) -> void* {
          wait_until_inside(first);
          cancel(first);
          void* result = nullptr;
          ::_exit(::pthread_join(first, &result) == 0 && result == PTHREAD_CANCELED ? 0 : 1);
        }, nullptr);
        char byte;
        by_stub(SYS_read, pipe.in.get(), &byte, 1);
        ::_exit(2);
      }
      expect_success(child);
    }
  });
}

// What makes the barrier cheap is the child's too: who is elsewhere is not disturbed there either.
TEST_F(ForkTest, AChildsThreadIsLeftAloneOutsideTheStub) {
  if (libc_signals_everybody()) GTEST_SKIP() << "this C library signals every thread";
  Semaphore semaphore;
  const pid_t child = ::fork();
  if (child == 0) {
    begin_child();
    std::atomic<bool> started{false};
    std::atomic<long> result{0};
    Target target([&] {
      started = true;
      result = semaphore.wait(50 * kMillisecond);
    });
    wait_for(started);
    for (int i = 0; i < 20; ++i) {
      sleep_ns(kMillisecond);
      target.cancel();
    }
    target.join();
    ::_exit(result == -EAGAIN ? 0 : 1);
  }
  expect_success(child);
}

// The thread that forks is being cancelled itself, again and again; its copy in the child finds a slot of nobody's.
TEST_F(ForkTest, AThreadForksThatIsBeingCancelled) {
  for (bool told : {true, false}) {
    std::atomic<bool> started{false}, stop{false};
    std::atomic<int> slow{0}, failed{0};
    Target target([&] {
      disable();
      started = true;
      for (int round = 0; round < (told ? 50 : 4); ++round) {
        const pid_t child = ::fork();
        if (child == 0) {
          ::alarm(10);
          if (told) after_fork();
          const Stopwatch watch;
          for (unsigned seen = 0; by_stub_how(kReturn | seen, SYS_getppid) == kCancelled;) seen = settle();
          // Without a word about the fork it waits for the slot's owner, who is not there, but not for ever.
          if (watch.elapsed() > (told ? 60 : 900) * kMillisecond) ::_exit(1);
          enable();
          by_stub(SYS_getppid);
          ::_exit(0);  // or it was cancelled, which ends the process in good order
        }
        int status = -1;
        ::waitpid(child, &status, 0);
        slow += WIFEXITED(status) && WEXITSTATUS(status) == 1;
        failed += !WIFEXITED(status);
      }
    });
    wait_for(started);
    std::thread canceller([&] {
      for (; !stop; ::sched_yield()) target.cancel();
    });
    target.join();
    stop = true;
    canceller.join();
    EXPECT_EQ(0, failed);
    EXPECT_LE(slow, 2) << told;  // a child may be out of luck with its processor
  }
}

}  // namespace
}  // namespace kev::cancel
