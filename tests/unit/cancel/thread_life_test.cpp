// Threads that are cancelled at the beginning, at the end, by themselves, and with nobody to join them.
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <functional>
#include <thread>

#include "cancel/record.hpp"
#include "cancel/request.hpp"
#include "canceller_fixture.hpp"
#include "os/pid.hpp"
#include "os/thread.hpp"
#include "support/asleep.hpp"
#include "support/descriptor.hpp"
#include "support/stopwatch.hpp"
#include "support/stub_call.hpp"
#include "support/target.hpp"

namespace kev::cancel {
namespace {

class LifeTest : public CancellerTest {};

TEST_F(LifeTest, AThreadCancelsItself) {
  std::atomic<bool> returned{false};
  Target deferred([&] {
    EXPECT_EQ(0, cancel(::pthread_self()));
    returned = true;
    by_stub(SYS_getpid);
    ADD_FAILURE() << "not cancelled";
  });
  EXPECT_TRUE(deferred.join());
  EXPECT_TRUE(returned);
  Target disabled([] {
    disable();
    cancel(::pthread_self());
    by_stub(SYS_getpid);
  });
  EXPECT_FALSE(disabled.join());
}

// Interrupted by the signal, and never restarted: it does not return.
TEST_F(LifeTest, CallsThatAreNotRestartedAreCancelledToo) {
  const Descriptor set(::epoll_create1(EPOLL_CLOEXEC));
  const std::function<void()> calls[] = {
      [&] {
        epoll_event found;
        by_stub(SYS_epoll_pwait, set.get(), &found, 1, -1, nullptr, 8);
      },
      [] {
        timespec time = {100, 0};
        by_stub(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &time, nullptr);
      },
      [] { by_stub(SYS_ppoll, nullptr, 0, nullptr, nullptr, 8); },
      [] {
        const unsigned long none = 0;
        by_stub(SYS_rt_sigsuspend, &none, 8);
      },
  };
  for (const auto& call : calls)
    for (int round = 0; round < 20; ++round) {
      std::atomic<int> id{0};
      Target target([&] {
        id = os::thread_id();
        call();
        ADD_FAILURE() << "not cancelled";
      });
      while (id == 0) ::sched_yield();
      if (round % 4 != 0) wait_until_asleep(id);
      EXPECT_EQ(0, target.cancel());
      EXPECT_TRUE(target.join());
    }
}

// What join says then is this thread's: on a stack of its own, where no earlier thread has left its result.
TEST_F(LifeTest, AnAsynchronousThreadCancelsItself) {
  if (kThreadSanitizer) GTEST_SKIP() << "ThreadSanitizer keeps notes about stacks that it has not made";
  constexpr std::size_t kStack = 256 * 1024;
  void* stack = ::mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  EXPECT_EQ(0, ::pthread_attr_setstack(&attributes, stack, kStack));
  pthread_t thread;
  void* (*const body)(void*) = [](void*) -> void* {
    set_type(PTHREAD_CANCEL_ASYNCHRONOUS);
    cancel(::pthread_self());
    ADD_FAILURE() << "not cancelled";
    return nullptr;
  };
  ASSERT_EQ(0, ::pthread_create(&thread, &attributes, body, nullptr));
  ::pthread_attr_destroy(&attributes);
  void* result = nullptr;
  EXPECT_EQ(0, ::pthread_join(thread, &result));
  EXPECT_EQ(PTHREAD_CANCELED, result);
  ::munmap(stack, kStack);
}

// The second request comes while the thread is on its way out: what its cleanup handlers do is not disturbed.
TEST_F(LifeTest, AThreadThatIsEndingIsLeftAlone) {
  static std::atomic<bool> cleaning;
  static std::atomic<long> result;
  cleaning = false;
  result = 0;
  Target target([] {
    pthread_cleanup_push(
        [](void*) {
          cleaning = true;
          timespec time{};
          time.tv_nsec = 50 * kMillisecond;
          result = by_stub(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &time, nullptr);
        },
        nullptr);
    for (;;) by_stub(SYS_getppid);
    pthread_cleanup_pop(0);
  });
  target.cancel();
  wait_for(cleaning);
  for (int i = 0; i < 10; ++i) {
    sleep_ns(kMillisecond);
    target.cancel();
  }
  EXPECT_TRUE(target.join());
  EXPECT_EQ(0, result);
}

TEST_F(LifeTest, AnEndedThreadIsCancelledInVain) {
  for (int round = 0; round < 200; ++round) {
    std::atomic<int> id{0};
    Target ended([&] { id = os::thread_id(); });
    while (id == 0) ::sched_yield();
    if (round % 2 == 0)
      while (os::signal_thread(os::getpid(), id, 0) == 0) ::sched_yield();
    EXPECT_EQ(0, ended.cancel());
    EXPECT_FALSE(ended.join());
  }
}

TEST_F(LifeTest, AThreadThatHasNotBegunIsCancelled) {
  if (kThreadSanitizer) GTEST_SKIP() << "ThreadSanitizer takes the clearing of its local storage for a race";
  for (int round = 0; round < rounds(1000); ++round) {
    Pipe pipe = make_pipe(O_CLOEXEC);
    Target target([&] {
      char byte;
      by_stub(SYS_read, pipe.in.get(), &byte, 1);
    });
    target.cancel();
    EXPECT_TRUE(target.join());
  }
}

TEST_F(LifeTest, AsynchronousThreadsEndAnywhere) {
  if (kThreadSanitizer) GTEST_SKIP() << "ThreadSanitizer's frames cannot be unwound from anywhere";
  Pipe pipe = make_pipe(O_CLOEXEC);
  const std::function<void()> bodies[] = {
      [] { for (;;) arch::relax(); },
      [&] {
        char byte;
        by_stub(SYS_read, pipe.in.get(), &byte, 1);
      },
      [] { for (;;) by_stub(SYS_getppid); },
      [] { for (;;) by_kernel(SYS_sched_yield); },
      // Of one type and the other in turn.
      [] {
        for (;;) {
          set_type(PTHREAD_CANCEL_DEFERRED);
          by_stub(SYS_getppid);
          set_type(PTHREAD_CANCEL_ASYNCHRONOUS);
        }
      },
  };
  Jitter jitter;
  for (int round = 0; round < rounds(150); ++round)
    for (const auto& body : bodies) {
      std::atomic<bool> ready{false};
      Target target([&] {
        set_type(PTHREAD_CANCEL_ASYNCHRONOUS);
        ready = true;
        body();
      });
      if (round % 3 != 0) wait_for(ready);
      jitter.pass(20'000);
      EXPECT_EQ(0, target.cancel());
      EXPECT_TRUE(target.join());
    }
}

TEST_F(LifeTest, AnAsynchronousThreadThatHasItDisabledIsLeftAlone) {
  Pipe pipe = make_pipe(O_CLOEXEC);
  std::atomic<bool> taken{false};
  Target target([&] {
    disable();
    set_type(PTHREAD_CANCEL_ASYNCHRONOUS);
    char byte;
    taken = by_stub(SYS_read, pipe.in.get(), &byte, 1) == 1;
    enable();
    ADD_FAILURE() << "not cancelled";
  });
  wait_until_inside(target.thread());
  for (int i = 0; i < 100; ++i) target.cancel();
  put(pipe.out.get());
  target.join();  // glibc 2.36 forgets to say PTHREAD_CANCELED
  EXPECT_TRUE(taken);
}

// The thread stays marked when its signal cannot be queued, and the caller is told.
TEST_F(LifeTest, ASignalThatCannotBeQueuedIsAnError) {
  Pipe pipe = make_pipe(O_CLOEXEC);
  Target target([&] {
    char byte;
    EXPECT_EQ(1, by_stub(SYS_read, pipe.in.get(), &byte, 1));
    by_stub(SYS_read, pipe.in.get(), &byte, 1);
  });
  wait_until_inside(target.thread());
  rlimit before;
  ASSERT_EQ(0, ::getrlimit(RLIMIT_SIGPENDING, &before));
  const rlimit none = {0, before.rlim_max};
  ASSERT_EQ(0, ::setrlimit(RLIMIT_SIGPENDING, &none));
  EXPECT_EQ(EAGAIN, target.cancel());
  ASSERT_EQ(0, ::setrlimit(RLIMIT_SIGPENDING, &before));
  put(pipe.out.get());
  EXPECT_TRUE(target.join());
}

// A detached thread's memory goes with it: whoever touches it afterwards dies.
class DetachedTest : public CancellerTest {
 protected:
  void SetUp() override {
    CancellerTest::SetUp();
    if (kThreadSanitizer) GTEST_SKIP() << "ThreadSanitizer keeps notes about stacks that it has not made";
  }
  static constexpr std::size_t kStack = 256 * 1024;
  static inline std::atomic<void*> stack{nullptr};
  static inline std::atomic<int> id{0};
  static inline int in = -1;

  static pthread_t start(void* (*body)(void*)) {
    id = 0;
    stack = ::mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    EXPECT_EQ(0, ::pthread_attr_setstack(&attributes, stack, kStack));
    pthread_t thread;
    EXPECT_EQ(0, ::pthread_create(&thread, &attributes, body, nullptr));
    ::pthread_attr_destroy(&attributes);
    while (id == 0) ::sched_yield();
    return thread;
  }
  // As soon as the thread is no more.
  static void unmap() {
    const Stopwatch watch;
    while (os::signal_thread(os::getpid(), id, 0) == 0) {
      ::sched_yield();
      if (watch.elapsed() > 10 * kSecond) give_up("a thread does not end");
    }
    ::munmap(stack, kStack);
  }
};

// The thread is gone before libc's own function returns.
TEST_F(DetachedTest, IsNotTouchedOnceItIsMarked) {
  libc.cancel = [](pthread_t thread) {
    const int error = ::pthread_cancel(thread);
    unmap();
    return error;
  };
  void* (*const bodies[])(void*) = {
      [](void*) -> void* {
        id = os::thread_id();
        for (;;) check();
      },
      [](void*) -> void* {
        set_type(PTHREAD_CANCEL_ASYNCHRONOUS);
        id = os::thread_id();
        for (;;) by_stub(SYS_getppid);
      },
  };
  for (int round = 0; round < 40; ++round)
    for (auto body : bodies) EXPECT_EQ(0, cancel(start(body)));
}

TEST_F(DetachedTest, IsNotTouchedOnceItIsSignalled) {
  Pipe pipe = make_pipe(O_CLOEXEC);
  in = pipe.in.get();
  std::atomic<pthread_t> next{0};
  std::atomic<bool> stop{false};
  std::thread canceller([&] {
    while (!stop) {
      const pthread_t thread = next.exchange(0);
      if (thread != 0) cancel(thread);
      else ::sched_yield();
    }
  });
  void* (*const bodies[])(void*) = {
      [](void*) -> void* {
        id = os::thread_id();
        char byte;
        by_stub(SYS_read, in, &byte, 1);
        return nullptr;
      },
      [](void*) -> void* {
        id = os::thread_id();
        for (;;) by_stub(SYS_getppid);
      },
      [](void*) -> void* {
        id = os::thread_id();
        for (unsigned seen = 0;;)
          if (by_stub_how(kReturn | seen, SYS_getppid) == kCancelled) {
            seen = settle();
            check();
          }
      },
  };
  Jitter jitter;
  for (int round = 0; round < 200; ++round)
    for (auto body : bodies) {
      const pthread_t thread = start(body);
      jitter.pass(10'000);
      next = thread;
      unmap();
    }
  stop = true;
  canceller.join();
}

}  // namespace
}  // namespace kev::cancel
