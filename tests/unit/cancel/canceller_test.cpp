// Threads that cancel and threads that are cancelled, against each other: nothing lost, nobody asleep for ever, nobody
// disturbed who has nothing to do with it.
#include "cancel/canceller.hpp"

#include <gnu/libc-version.h>
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "cancel/handler.hpp"
#include "cancel/record.hpp"
#include "cancel/request.hpp"
#include "os/pid.hpp"
#include "os/thread.hpp"
#include "process/quiet.hpp"
#include "support/asleep.hpp"
#include "support/descriptor.hpp"
#include "support/libc_cancel.hpp"
#include "support/signals.hpp"
#include "support/stopwatch.hpp"
#include "support/stub_call.hpp"
#include "support/target.hpp"

#ifdef __SANITIZE_THREAD__
constexpr bool kThreadSanitizer = true;
#else
constexpr bool kThreadSanitizer = false;
#endif

namespace kev::cancel {
namespace {

using namespace conformance;
using namespace unit;

// Fewer where each step takes longer.
constexpr int rounds(int count) { return kThreadSanitizer ? count / 10 : count; }

class CancellerTest : public ::testing::Test {
 protected:
  CancellerTest() {
    connect_libc();
    process::quiet = false;  // as in a process that no filter watches
    before_first_thread();
  }
  void SetUp() override {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "AddressSanitizer takes a stack that was unwound by cancellation for one in use";
#endif
  }
  ~CancellerTest() override { libc = {}; }

  // Until `thread` is in a call of the stub; it may not be asleep yet.
  static void wait_until_inside(pthread_t thread) {
    while (record_of(thread).inside.load() == 0) ::sched_yield();
  }
};

// A byte and a cancellation come at the same time: the thread has the byte, or the pipe has.
class RaceTest : public CancellerTest {
 protected:
  template <typename Meanwhile>
  void race(int count, Meanwhile meanwhile) {
    Pipe pipe = make_pipe(O_CLOEXEC);
    ASSERT_EQ(0, ::fcntl(pipe.in.get(), F_SETFL, O_NONBLOCK));
    const Descriptor in(::open(("/proc/self/fd/" + std::to_string(pipe.in.get())).c_str(), O_RDONLY | O_CLOEXEC));
    int taken_rounds = 0, cancelled_rounds = 0, lost = 0, twice = 0;
    for (int round = 0; round < count; ++round) {
      std::atomic<bool> ready{false};
      std::atomic<int> taken{0};
      Target reader([&] {
        ready = true;
        char byte;
        const long size = by_stub(SYS_read, in.get(), &byte, 1);
        if (size == 1) ++taken;
      });
      meanwhile(round, ready, reader, pipe.out.get());
      const bool cancelled = reader.join();
      char rest[4];
      const ssize_t left = ::read(pipe.in.get(), rest, sizeof rest);
      const int total = taken + static_cast<int>(left > 0 ? left : 0);
      lost += total < 1;
      twice += total > 1;
      EXPECT_EQ(cancelled, taken == 0) << "round " << round;
      ++(cancelled ? cancelled_rounds : taken_rounds);
    }
    EXPECT_EQ(0, lost);
    EXPECT_EQ(0, twice);
    std::printf("[          ] taken %d, cancelled %d\n", taken_rounds, cancelled_rounds);
    // Otherwise it was no race.
    EXPECT_TRUE(kThreadSanitizer || (taken_rounds > 0 && cancelled_rounds > 0));
  }

  Jitter jitter;
};

TEST_F(RaceTest, TheByteComesFirst) {
  race(rounds(3000), [&](int round, auto& ready, Target& reader, int out) {
    if (round % 2 != 0) wait_for(ready);
    jitter.pass(round % 4 < 2 ? 300 : 20'000);
    put(out);
    jitter.pass(round % 3 == 0 ? 3000 : 1);
    reader.cancel();
  });
}

TEST_F(RaceTest, TheCancellationComesFirst) {
  race(rounds(3000), [&](int round, auto& ready, Target& reader, int out) {
    if (round % 2 != 0) wait_for(ready);
    jitter.pass(round % 4 < 2 ? 300 : 20'000);
    // A quick thread may have gone before the byte comes; let most have the chance.
    if (round % 50 == 0) put(out);
    reader.cancel();
    if (round % 50 != 0) put(out);
  });
}

// The writer is a thread of its own, so that both meet in the middle.
TEST_F(RaceTest, BothComeAtOnce) {
  std::atomic<int> go{-1}, done{-1};
  std::atomic<int> out_fd{-1};
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    Jitter own;
    own.pass(100);
    for (int next = 0; !stop;) {
      if (go < next) {
        ::sched_yield();
        continue;
      }
      own.pass(2000);
      put(out_fd);
      done = next++;
    }
  });
  race(rounds(3000), [&](int round, auto& ready, Target& reader, int out) {
    out_fd = out;
    if (round % 4 != 0) wait_for(ready);
    if (round % 2 != 0) jitter.pass(20'000);
    go = round;
    jitter.pass(4000);
    reader.cancel();
    while (done < round) ::sched_yield();
  });
  stop = true;
  writer.join();
}

// The request comes as the thread says that it is in the stub, and looks: one of the two sees the other.
TEST_F(CancellerTest, TheLookAndTheRequestMeet) {
  Pipe pipe = make_pipe(O_CLOEXEC);
  for (int round = 0; round < rounds(2000); ++round) {
    std::atomic<bool> ready{false}, go{false};
    Target target([&] {
      char byte;
      ready = true;
      while (!go.load(std::memory_order_relaxed)) {
      }
      by_stub(SYS_read, pipe.in.get(), &byte, 1);
      ADD_FAILURE() << "not cancelled";
    });
    wait_for(ready);
    go.store(true);
    for (volatile int i = round % 64; i > 0;) i = i - 1;
    target.cancel();
    EXPECT_TRUE(target.join());
  }
}

// A semaphore that a thread waits for in a call that no C library and no handler restarts, and that is no cancellation
// point.
class Semaphore {
 public:
  Semaphore() : id_(::semget(IPC_PRIVATE, 1, 0600)) { EXPECT_GE(id_, 0); }
  ~Semaphore() { ::semctl(id_, 0, IPC_RMID); }
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  // 0, -EAGAIN when the time is over, or -EINTR.
  long wait(long ns) {
    sembuf down = {0, -1, 0};
    timespec time = {ns / kSecond, ns % kSecond};
    return by_kernel(SYS_semtimedop, id_, &down, 1, &time);
  }
  void post() {
    sembuf up = {0, 1, 0};
    ::semop(id_, &up, 1);
  }

 private:
  int id_;
};

// glibc 2.41 signals every thread that has cancellation enabled, wherever it is.
bool libc_signals_everybody() { return ::strverscmp(::gnu_get_libc_version(), "2.41") >= 0; }

class DisturbanceTest : public CancellerTest {
 protected:
  // `body` runs as long as the canceller is at work on its thread.
  void cancelled_all_the_time(std::function<void()> body, int cancellers = 1) {
    std::atomic<bool> started{false};
    stop = false;
    Target target([&] {
      started = true;
      body();
      disable();
    });
    wait_for(started);
    std::vector<std::thread> threads;
    for (int i = 0; i < cancellers; ++i)
      threads.emplace_back([&] {
        Jitter jitter;
        while (!stop) {
          // As if it were the first each time: what a thread was told before is not told again.
          record_of(target.thread()).told = false;
          target.cancel();
          ++cancellations;
          jitter.pass(200'000);  // the thread waits for its cancellers: let it go on in between
        }
      });
    sleep_ns(kTime);
    stop = true;
    for (std::thread& thread : threads) thread.join();
    EXPECT_FALSE(target.join());
    EXPECT_GT(cancellations, 100);
  }

  // Some microseconds, so that a canceller finds the thread there.
  long spend_time_in_stub(unsigned long how) { return by_stub_how(how, SYS_read, zero.get(), buffer, sizeof buffer); }

  static constexpr std::int64_t kTime = 800 * kMillisecond;
  const Descriptor zero{::open("/dev/zero", O_RDONLY | O_CLOEXEC)};
  char buffer[65536];
  std::atomic<bool> stop{false};
  std::atomic<long> cancellations{0};
  Semaphore semaphore;
};

TEST_F(DisturbanceTest, ADisabledThreadInAStubIsLeftAlone) {
  Pipe pipe = make_pipe(O_CLOEXEC);
  std::atomic<bool> taken{false};
  Target target([&] {
    disable();
    char byte;
    EXPECT_EQ(1, by_stub(SYS_read, pipe.in.get(), &byte, 1));
    EXPECT_EQ(1u, self().requests.load());  // the one that was told it; a signal counts, too
    taken = true;
    EXPECT_EQ(by_kernel(SYS_getpid), by_stub(SYS_getpid));
    enable();
    by_stub(SYS_getpid);
    ADD_FAILURE() << "no cancellation point";
  });
  wait_until_inside(target.thread());
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(0, target.cancel());
  put(pipe.out.get());
  EXPECT_TRUE(target.join());
  EXPECT_TRUE(taken);
}

TEST_F(DisturbanceTest, ADisabledThreadInABareCallIsLeftAlone) {
  const Descriptor set(::epoll_create1(EPOLL_CLOEXEC));
  const Descriptor event = make_event();
  epoll_event wanted = {};
  wanted.events = EPOLLIN;
  ASSERT_EQ(0, ::epoll_ctl(set.get(), EPOLL_CTL_ADD, event.get(), &wanted));
  const int tries = rounds(1000);
  std::atomic<int> turn{0};
  Target target([&] {
    disable();
    for (int i = 0; i < tries; ++i) {
      ++turn;
      epoll_event found;
      EXPECT_EQ(1, by_kernel(SYS_epoll_pwait, set.get(), &found, 1, -1, nullptr, 8));
      EXPECT_EQ(8u, sizeof(std::uint64_t));
      std::uint64_t value;
      EXPECT_EQ(8, by_kernel(SYS_read, event.get(), &value, 8));
      ++turn;
      EXPECT_EQ(0, semaphore.wait(10 * kSecond));
    }
    EXPECT_EQ(1u, self().requests.load());  // the one that was told it; a signal counts, too
  });
  Jitter jitter;
  for (int i = 0; i < tries; ++i)
    for (int half = 0; half < 2; ++half) {
      while (turn <= 2 * i + half) ::sched_yield();
      jitter.pass(8000);
      target.cancel();
      jitter.pass(1000);
      target.cancel();
      if (half == 0) add_to_event(event.get());
      else semaphore.post();
    }
  EXPECT_FALSE(target.join());
}

// In and out of the stub all the time, and in a call of its own in between: the signal is for the stub alone.
TEST_F(DisturbanceTest, AnEnabledThreadIsLeftAloneOutsideTheStub) {
  if (libc_signals_everybody()) GTEST_SKIP() << "this C library signals every thread";
  long waits = 0, told = 0, disturbed = 0;
  cancelled_all_the_time([&] {
    unsigned seen = 0;
    for (Jitter jitter; !stop; ++waits) {
      while (spend_time_in_stub(kReturn | seen) == kCancelled) {
        seen = settle();
        ++told;
      }
      if (waits % 4 == 0) jitter.pass(200);
      disturbed += semaphore.wait(20'000) != -EAGAIN;
    }
  });
  EXPECT_EQ(0, disturbed);
  EXPECT_GT(told, 10);
  std::printf("[          ] %ld cancellations, %ld seen in %ld rounds\n", cancellations.load(), told, waits);
}

// The same with the state changed all the time: while it is disabled nothing arrives.
TEST_F(DisturbanceTest, ADisabledThreadIsLeftAloneWhateverItWasBefore) {
  long waits = 0, told = 0, disturbed = 0;
  cancelled_all_the_time([&] {
    unsigned seen = 0;
    for (Jitter jitter; !stop; ++waits) {
      enable();
      while (spend_time_in_stub(kReturn | seen) == kCancelled) {
        seen = settle();
        ++told;
      }
      if (waits % 4 == 0) jitter.pass(100);
      disable();
      disturbed += semaphore.wait(20'000) != -EAGAIN;
      disturbed += by_stub(SYS_getppid) != by_kernel(SYS_getppid);
    }
  });
  EXPECT_EQ(0, disturbed);
  EXPECT_GT(told, 10);
}

// One that sleeps in the stub, disabled, with calls that are never restarted.
TEST_F(DisturbanceTest, ADisabledThreadsSleepIsNotCutShort) {
  long waits = 0, disturbed = 0;
  cancelled_all_the_time([&] {
    disable();
    for (; !stop; ++waits) {
      const Stopwatch watch;
      timespec time = {0, 200'000};
      disturbed += by_stub(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &time, nullptr) != 0;
      disturbed += watch.elapsed() < 200'000;
    }
  });
  EXPECT_EQ(0, disturbed);
  EXPECT_GT(waits, 5);
}

// How long a target waits for a slow canceller.
class Patience {
 public:
  explicit Patience(int rounds) { patience = rounds; }
  ~Patience() { patience = before_; }
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;

 private:
  int before_ = patience;
};

// A canceller that takes longer than its target waits for it: libc's pthread_cancel() goes on when it may.
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

// A handler that runs on top of a call in a stub when the cancellation comes.
class OnTopTest : public CancellerTest, public ::testing::WithParamInterface<int> {
 protected:
  void SetUp() override {
    CancellerTest::SetUp();
    if (kThreadSanitizer) GTEST_SKIP() << "ThreadSanitizer keeps signals back until a call of its own";
  }
  static inline std::atomic<bool> entered{false}, go_on{false}, left{false};
  static inline std::atomic<int> second_pipe{-1};

  static void wait_in_handler() {
    entered = true;
    while (!go_on) by_kernel(SYS_sched_yield);
  }
  static void leave_handler() { left = true; }

  // A thread sleeps in the stub, `handler` runs on top of it and says that it entered, the cancellation comes,
  // `release` lets the handler go on: the thread ends.
  void expect_cancelled(void (*handler)(int), std::function<void()> release = [] { go_on = true; }, int count = 60) {
    Pipe second = make_pipe(O_CLOEXEC);
    second_pipe = second.in.get();
    out = second.out.get();
    Handler installed(SIGUSR1, handler, GetParam());
    for (int round = 0; round < count; ++round) {
      entered = go_on = left = false;
      std::atomic<int> id{0};
      Pipe pipe = make_pipe(O_CLOEXEC);
      Target target([&] {
        id = os::thread_id();
        char byte;
        while (by_stub(SYS_read, pipe.in.get(), &byte, 1) == -EINTR) {
        }
      });
      wait_until_inside(target.thread());
      if (round % 2 == 0) wait_until_asleep(id);
      ::pthread_kill(target.thread(), SIGUSR1);
      wait_for(entered);
      jitter.pass(3000);
      if (from_elsewhere) {
        EXPECT_EQ(0, target.cancel());
      }
      jitter.pass(3000);
      release();
      EXPECT_TRUE(target.join());
    }
  }

  int out = -1;
  bool from_elsewhere = true;
  Jitter jitter;
};

TEST_P(OnTopTest, TheCallIsCancelledWhenTheHandlerReturns) {
  expect_cancelled([](int) {
    wait_in_handler();
    leave_handler();
  });
  EXPECT_TRUE(left);
}

TEST_P(OnTopTest, AHandlersOwnCallIsCancelled) {
  expect_cancelled(
      [](int) {
        char byte;
        entered = true;
        by_stub(SYS_read, second_pipe.load(), &byte, 1);
        leave_handler();
      },
      [] {});
  EXPECT_FALSE(left);
}

TEST_P(OnTopTest, AHandlerThatHasItDisabledEnablesIt) {
  expect_cancelled([](int) {
    disable();
    wait_in_handler();
    enable();
    leave_handler();
  });
  EXPECT_TRUE(left);
}

TEST_P(OnTopTest, AHandlerThatHasItDisabledIsInACallOfItsOwn) {
  expect_cancelled(
      [](int) {
        disable();
        entered = true;
        char byte;
        if (by_stub(SYS_read, second_pipe.load(), &byte, 1) == 1) leave_handler();
        enable();
      },
      [&] { put(out); });
  EXPECT_TRUE(left);
}

TEST_P(OnTopTest, AHandlerDisablesItAfterwards) {
  expect_cancelled([](int) {
    wait_in_handler();
    disable();
    timespec no_time = {0, 0};
    by_stub(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &no_time, nullptr);
    enable();
    leave_handler();
  });
  EXPECT_TRUE(left);
}

TEST_P(OnTopTest, AHandlerRunsOnTopOfAHandler) {
  Handler inner(SIGUSR2, [](int) { wait_in_handler(); }, GetParam());
  expect_cancelled([](int) {
    ::raise(SIGUSR2);
    leave_handler();
  });
  EXPECT_TRUE(left);
}

TEST_P(OnTopTest, AHandlerCancelsItsOwnThread) {
  from_elsewhere = false;
  expect_cancelled([](int) {
    cancel(::pthread_self());
    entered = true;
    leave_handler();
  });
  EXPECT_TRUE(left);
}

// The handler's call ends with a result in the moment in which the signal comes: the result stays, and the call below
// is told all the same. Here the handler's call is the one that sends the signal, so it is at its end that it arrives.
TEST_P(OnTopTest, AHandlersCallHasItsResultAsTheSignalComes) {
  // Ours stands in front of libc's.
  Target([] {
    for (;;) check();
  }).cancel();
  entered = go_on = left = false;
  Handler installed(
      SIGUSR1,
      [](int) {
        // What a canceller does from elsewhere: counts, marks, sends.
        ++self().requests;
        ::pthread_cancel(::pthread_self());
        if (by_stub_how(self().requests.load(), SYS_tgkill, ::getpid(), os::thread_id(), kSignal) == 0) leave_handler();
      },
      GetParam());
  Pipe pipe = make_pipe(O_CLOEXEC);
  Target target([&] {
    char byte;
    while (by_stub(SYS_read, pipe.in.get(), &byte, 1) == -EINTR) {
    }
  });
  wait_until_inside(target.thread());
  ::pthread_kill(target.thread(), SIGUSR1);
  EXPECT_TRUE(target.join());
  EXPECT_TRUE(left);
}

// The same by chance: a byte for the handler's call and the cancellation at once.
TEST_P(OnTopTest, AHandlersCallHasItsByteAsTheSignalComes) {
  Handler installed(
      SIGUSR1,
      [](int) {
        entered = true;
        char byte;
        by_stub(SYS_read, second_pipe.load(), &byte, 1);
        leave_handler();
      },
      GetParam());
  int handlers_ended = 0;
  for (int round = 0; round < rounds(1500); ++round) {
    Pipe pipe = make_pipe(O_CLOEXEC), second = make_pipe(O_CLOEXEC);
    second_pipe = second.in.get();
    entered = left = false;
    Target target([&] {
      char byte;
      while (by_stub(SYS_read, pipe.in.get(), &byte, 1) == -EINTR) {
      }
    });
    wait_until_inside(target.thread());
    ::pthread_kill(target.thread(), SIGUSR1);
    wait_for(entered);
    if (round % 2 == 0) jitter.pass(20'000);
    put(second.out.get());
    jitter.pass(2000);
    target.cancel();
    EXPECT_TRUE(target.join());
    handlers_ended += left;
  }
  std::printf("[          ] %d handlers had their byte\n", handlers_ended);
}

std::string effect_of(const ::testing::TestParamInfo<int>& flags) {
  return flags.param == 0 ? "ThatInterrupts" : "ThatRestarts";
}
INSTANTIATE_TEST_SUITE_P(OfAHandler, OnTopTest, ::testing::Values(0, SA_RESTART), effect_of);

class ManyTest : public CancellerTest {};

TEST_F(ManyTest, TwoCancelOneThread) {
  for (int round = 0; round < rounds(1000); ++round) {
    Pipe pipe = make_pipe(O_CLOEXEC);
    Target target([&] {
      char byte;
      by_stub(SYS_read, pipe.in.get(), &byte, 1);
      ADD_FAILURE() << "not cancelled";
    });
    if (round % 3 != 0) wait_until_inside(target.thread());
    std::atomic<int> ready{0};
    const auto both = [&] {
      ++ready;
      while (ready < 2) ::sched_yield();
      EXPECT_EQ(0, target.cancel());
    };
    std::thread other(both);
    both();
    other.join();
    EXPECT_TRUE(target.join());
  }
}

// libc's pthread_cancel() takes its time: all slots are in use.
TEST_F(ManyTest, MoreCancellersThanSlots) {
  libc.cancel = [](pthread_t thread) {
    sleep_ns(2 * kMillisecond);
    const int error = ::pthread_cancel(thread);
    sleep_ns(2 * kMillisecond);
    return error;
  };
  constexpr int kCount = 80;
  for (int round = 0; round < 2; ++round) {
    Pipe pipe = make_pipe(O_CLOEXEC);
    std::vector<std::unique_ptr<Target>> targets;
    for (int i = 0; i < kCount; ++i)
      targets.push_back(std::make_unique<Target>([&pipe, i] {
        char byte;
        if (i % 2 == 0) by_stub(SYS_read, pipe.in.get(), &byte, 1);
        else for (timespec time = {0, 100'000};;) by_stub(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &time, nullptr);
      }));
    std::atomic<int> ready{0};
    std::vector<std::thread> cancellers;
    for (int i = 0; i < kCount; ++i)
      cancellers.emplace_back([&, i] {
        ++ready;
        while (ready < kCount) ::sched_yield();
        EXPECT_EQ(0, targets[static_cast<std::size_t>(i)]->cancel());
      });
    for (std::thread& canceller : cancellers) canceller.join();
    for (auto& target : targets) EXPECT_TRUE(target->join());
  }
}

// A target that waits for a slow canceller gives up after a while, and is woken when the mark is made.
TEST_F(ManyTest, ATargetDoesNotWaitForEver) {
  const Patience less(1500);
  libc.cancel = [](pthread_t thread) {
    sleep_ns(1900 * kMillisecond);
    return ::pthread_cancel(thread);
  };
  Pipe pipe = make_pipe(O_CLOEXEC);
  std::atomic<bool> started{false};
  std::atomic<std::int64_t> longest{0};
  Target target([&] {
    started = true;
    for (unsigned seen = 0; longest < 50 * kMillisecond;) {
      const Stopwatch watch;
      if (by_stub_how(kReturn | seen, SYS_getppid) == kCancelled) seen = settle();
      if (watch.elapsed() > longest) longest = watch.elapsed();
    }
    char byte;
    by_stub(SYS_read, pipe.in.get(), &byte, 1);
    ADD_FAILURE() << "not cancelled";
  });
  wait_for(started);
  EXPECT_EQ(0, target.cancel());
  EXPECT_TRUE(target.join());
  EXPECT_LT(longest, 1800 * kMillisecond);
}

TEST_F(ManyTest, ThreadsCancelEachOther) {
  for (int round = 0; round < rounds(300); ++round) {
    std::atomic<int> ready{0};
    std::atomic<pthread_t> threads[2] = {};
    Pipe pipe = make_pipe(O_CLOEXEC);
    const auto body = [&](int me) {
      ++ready;
      while (threads[0] == 0 || threads[1] == 0) ::sched_yield();
      cancel(threads[1 - me]);
      char byte;
      by_stub(SYS_read, pipe.in.get(), &byte, 1);
    };
    Target one([&] { body(0); }), two([&] { body(1); });
    threads[0] = one.thread();
    threads[1] = two.thread();
    EXPECT_TRUE(one.join());
    EXPECT_TRUE(two.join());
  }
}

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

// Children of fork, made while threads cancel each other.
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
