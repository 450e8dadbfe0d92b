// The engine contract (engine/engine.hpp), line by line, as a typed suite: every engine passes it.
//
// A new engine writes a Maker, whose constructor opens `engine` with wake() and whose destructor closes it, and
//   INSTANTIATE_TYPED_TEST_SUITE_P(Name, EngineTest, Maker);
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <map>
#include <thread>
#include <vector>

#include "engine/engine.hpp"
#include "os/clock.hpp"
#include "support/child.hpp"
#include "support/descriptor.hpp"
#include "support/open_descriptors.hpp"
#include "support/signals.hpp"
#include "support/stopwatch.hpp"

namespace kev::engine {

using wait::Deadline;
using namespace conformance;

inline std::atomic<int> handled{0};
inline void count_signal(int) { handled.fetch_add(1); }

inline Engine* engine_to_wake = nullptr;
inline void wake_from_handler(int) { engine_to_wake->wake(); }

template <typename Maker>
class EngineTest : public ::testing::Test {
 protected:
  static constexpr std::int64_t kLong = 5 * kSecond;

  EngineTest() { handled = 0; }

  int wait(std::int64_t ns = 0, const sigset_t* mask = nullptr, int max = 64) {
    events.assign(static_cast<std::size_t>(max), Event{});
    errno = kErrno;
    int count = engine.wait(events.data(), max, ns < 0 ? Deadline::never() : Deadline::after(ns), mask);
    EXPECT_EQ(kErrno, errno) << "errno was touched";
    events.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return count;
  }

  // What one wait with no time reports, by token.
  std::map<std::uint64_t, std::uint32_t> ready() {
    wait();
    std::map<std::uint64_t, std::uint32_t> found;
    for (const Event& event : events) EXPECT_TRUE(found.emplace(event.token, event.events).second) << "reported twice";
    return found;
  }
  using Found = std::map<std::uint64_t, std::uint32_t>;

  // Does something on another thread once this one has slept for a while.
  class Later {
   public:
    template <typename Action>
    explicit Later(Action action) : thread_([action] {
      sleep_ns(30 * kMillisecond);
      action();
    }) {}
    ~Later() { thread_.join(); }

   private:
    std::thread thread_;
  };

  static constexpr int kErrno = 4242;
  Maker maker;
  Engine& engine = maker.engine;
  std::vector<Event> events;
};

TYPED_TEST_SUITE_P(EngineTest);

TYPED_TEST_P(EngineTest, ReportsNothingWhenNothingIsWatched) { EXPECT_EQ(0, this->wait()); }

TYPED_TEST_P(EngineTest, ReportsAReadyDescriptorWithItsToken) {
  Pipe pipe = make_pipe();
  EXPECT_EQ(0, this->engine.add(pipe.in.get(), POLLIN, 7));
  EXPECT_EQ(0, this->wait());
  put(pipe.out.get());
  EXPECT_EQ((typename TestFixture::Found{{7, POLLIN}}), this->ready());
}

TYPED_TEST_P(EngineTest, ReportsADescriptorThatWasReadyBeforeItWasAdded) {
  Descriptor event = make_event(1);
  EXPECT_EQ(0, this->engine.add(event.get(), POLLIN, 7));
  EXPECT_EQ((typename TestFixture::Found{{7, POLLIN}}), this->ready());
}

TYPED_TEST_P(EngineTest, RepeatsAnEventForAsLongAsItStands) {
  Descriptor event = make_event(1);
  this->engine.add(event.get(), POLLIN, 7);
  for (int i = 0; i < 4; ++i) EXPECT_EQ((typename TestFixture::Found{{7, POLLIN}}), this->ready());
  drain(event.get());
  EXPECT_EQ(0, this->wait());
}

TYPED_TEST_P(EngineTest, ReportsOnlyWhatIsWatchedFor) {
  Descriptor event = make_event(1);
  this->engine.add(event.get(), POLLOUT, 7);
  EXPECT_EQ((typename TestFixture::Found{{7, POLLOUT}}), this->ready());
  EXPECT_EQ(0, this->engine.change(event.get(), POLLIN | POLLOUT, 7));
  EXPECT_EQ((typename TestFixture::Found{{7, POLLIN | POLLOUT}}), this->ready());
  EXPECT_EQ(0, this->engine.change(event.get(), POLLPRI, 7));
  EXPECT_EQ(0, this->wait());
}

TYPED_TEST_P(EngineTest, ReportsHangUpAndErrorUnasked) {
  Pipe reading = make_pipe(), writing = make_pipe();
  this->engine.add(reading.in.get(), 0, 1);
  this->engine.add(writing.out.get(), 0, 2);
  EXPECT_EQ(0, this->wait());
  reading.out.close();
  writing.in.close();
  EXPECT_EQ((typename TestFixture::Found{{1, POLLHUP}, {2, POLLERR}}), this->ready());
}

TYPED_TEST_P(EngineTest, ReportsTheEndOfAStreamToWhoAsksForIt) {
  Pipe pair = make_socketpair(SOCK_STREAM);
  this->engine.add(pair.in.get(), POLLRDHUP, 1);
  ::shutdown(pair.out.get(), SHUT_WR);
  EXPECT_EQ((typename TestFixture::Found{{1, POLLRDHUP}}), this->ready());
}

TYPED_TEST_P(EngineTest, RefusesToAddWhatItHas) {
  Descriptor event = make_event();
  EXPECT_EQ(0, this->engine.add(event.get(), POLLIN, 1));
  EXPECT_EQ(-EEXIST, this->engine.add(event.get(), POLLIN, 2));
  add_to_event(event.get());
  EXPECT_EQ((typename TestFixture::Found{{1, POLLIN}}), this->ready());
}

TYPED_TEST_P(EngineTest, RefusesClosedDescriptorsAndNegativeOnes) {
  for (int fd : {-1, 1'000'000}) {
    EXPECT_EQ(-EBADF, this->engine.add(fd, POLLIN, 1));
    EXPECT_EQ(-EBADF, this->engine.change(fd, POLLIN, 1));
    EXPECT_EQ(-EBADF, this->engine.remove(fd));
  }
}

TYPED_TEST_P(EngineTest, RefusesFilesThatCannotBeWatched) {
  Descriptor file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(-EPERM, this->engine.add(file.get(), POLLIN, 1));
}

TYPED_TEST_P(EngineTest, RefusesToChangeAndRemoveWhatItDoesNotHave) {
  Descriptor event = make_event();
  EXPECT_EQ(-ENOENT, this->engine.change(event.get(), POLLIN, 1));
  EXPECT_EQ(-ENOENT, this->engine.remove(event.get()));
}

TYPED_TEST_P(EngineTest, ChangesTheToken) {
  Descriptor event = make_event(1);
  this->engine.add(event.get(), POLLIN, 1);
  EXPECT_EQ(0, this->engine.change(event.get(), POLLIN, ~std::uint64_t{0} - 1));
  EXPECT_EQ((typename TestFixture::Found{{~std::uint64_t{0} - 1, POLLIN}}), this->ready());
}

TYPED_TEST_P(EngineTest, ForgetsWhatIsRemoved) {
  Descriptor event = make_event(1);
  this->engine.add(event.get(), POLLIN, 1);
  EXPECT_EQ(0, this->engine.remove(event.get()));
  EXPECT_EQ(0, this->wait());
  EXPECT_EQ(0, this->engine.add(event.get(), POLLIN, 2));
  EXPECT_EQ((typename TestFixture::Found{{2, POLLIN}}), this->ready());
}

TYPED_TEST_P(EngineTest, ReportsAtMostTheMaximumAndComesToAllInTurn) {
  std::vector<Descriptor> watched;
  for (unsigned i = 0; i < 10; ++i) {
    watched.push_back(make_event(1));
    this->engine.add(watched.back().get(), POLLIN, i);
  }
  std::vector<int> times(10);
  for (int round = 0; round < 20; ++round) {
    ASSERT_EQ(3, this->wait(0, nullptr, 3));
    for (const Event& event : this->events) ++times[event.token];
  }
  for (int n : times) EXPECT_LE(5, n);
}

TYPED_TEST_P(EngineTest, NeverComesBackBeforeTheDeadline) {
  for (std::int64_t ns : {std::int64_t{1}, kMillisecond / 3, 3 * kMillisecond + 1, 20 * kMillisecond}) {
    Stopwatch watch;
    EXPECT_EQ(0, this->wait(ns));
    EXPECT_TRUE(watch.in_time(ns)) << ns << " became " << watch.elapsed();
  }
}

TYPED_TEST_P(EngineTest, WaitsForAPointOfEitherClock) {
  for (clockid_t clock : {CLOCK_MONOTONIC, CLOCK_REALTIME}) {
    Event event;
    std::int64_t point = os::clock_ns(clock) + 5 * kMillisecond;
    EXPECT_EQ(0, this->engine.wait(&event, 1, Deadline::at(clock, point), nullptr));
    EXPECT_LE(point, os::clock_ns(clock));
    EXPECT_EQ(0, this->engine.wait(&event, 1, Deadline::at(clock, 1), nullptr));
  }
}

TYPED_TEST_P(EngineTest, SleepsUntilThereIsAnEvent) {
  Pipe pipe = make_pipe();
  this->engine.add(pipe.in.get(), POLLIN, 7);
  Stopwatch watch;
  typename TestFixture::Later later([&] { put(pipe.out.get()); });
  EXPECT_EQ(1, this->wait(-1));
  EXPECT_TRUE(watch.in_time(20 * kMillisecond));
}

TYPED_TEST_P(EngineTest, SleepsThroughReadinessThatIsNotWatchedFor) {
  Descriptor event = make_event(1);
  this->engine.add(event.get(), 0, 7);
  EXPECT_EQ(0, this->wait(5 * kMillisecond));
}

TYPED_TEST_P(EngineTest, IsInterruptedByAHandlerWithAndWithoutRestart) {
  for (int flags : {0, SA_RESTART}) {
    Handler handler(SIGALRM, count_signal, flags);
    RepeatedAlarm alarm(20);
    EXPECT_EQ(-EINTR, this->wait(this->kLong));
  }
  EXPECT_LE(2, handled);
}

TYPED_TEST_P(EngineTest, IsNotInterruptedByIgnoredSignals) {
  Handler handler(SIGALRM, SIG_IGN);
  RepeatedAlarm alarm(5);
  EXPECT_EQ(0, this->wait(40 * kMillisecond));
}

TYPED_TEST_P(EngineTest, DoesNotSeeAStopAndContinuation) {
  constexpr std::int64_t kWait = 250 * kMillisecond;
  const pid_t child = start_child([&] {
    TypeParam own;
    Event event;
    Stopwatch watch;
    REQUIRE_IN_CHILD(own.engine.wait(&event, 1, Deadline::after(kWait), nullptr) == 0);
    REQUIRE_IN_CHILD(watch.in_time(kWait));
  });
  for (int i = 0; i < 2; ++i) {
    sleep_ns(40 * kMillisecond);
    ::kill(child, SIGSTOP);
    ::waitpid(child, nullptr, WUNTRACED);
    sleep_ns(10 * kMillisecond);
    ::kill(child, SIGCONT);
  }
  EXPECT_EQ(0, status_of(child));
}

TYPED_TEST_P(EngineTest, LetsAReadyDescriptorWinOverAPendingSignal) {
  Handler handler(SIGUSR1, count_signal);
  Blocked blocked(SIGUSR1);
  Descriptor event = make_event(1);
  this->engine.add(event.get(), POLLIN, 7);
  ::raise(SIGUSR1);
  const sigset_t none = empty_set();
  for (std::int64_t ns : {std::int64_t{0}, this->kLong}) {
    EXPECT_EQ(1, this->wait(ns, &none));
    EXPECT_EQ(0, handled);
    EXPECT_TRUE(is_pending(SIGUSR1));
  }
  drain(event.get());
  EXPECT_EQ(-EINTR, this->wait(0, &none));
}

TYPED_TEST_P(EngineTest, IsInterruptedByAPendingSignalEvenIfTheDeadlineHasPassed) {
  Handler handler(SIGUSR1, count_signal);
  Blocked blocked(SIGUSR1);
  const sigset_t none = empty_set();
  for (std::int64_t ns : {std::int64_t{0}, this->kLong, std::int64_t{-1}}) {
    handled = 0;
    ::raise(SIGUSR1);
    EXPECT_EQ(-EINTR, this->wait(ns, &none));
    EXPECT_EQ(1, handled);
  }
}

TYPED_TEST_P(EngineTest, LeavesASignalPendingThatTheMaskBlocks) {
  Handler handler(SIGUSR1, count_signal);
  Blocked blocked(SIGUSR1);
  ::raise(SIGUSR1);
  const sigset_t same = set_of(SIGUSR1);
  EXPECT_EQ(0, this->wait(0, &same));
  EXPECT_EQ(0, this->wait(5 * kMillisecond, &same));
  EXPECT_EQ(0, this->wait(5 * kMillisecond));
  EXPECT_EQ(0, handled);
  EXPECT_TRUE(is_pending(SIGUSR1));
}

TYPED_TEST_P(EngineTest, BlocksWhatTheMaskBlocksForTheSleep) {
  Handler handler(SIGALRM, count_signal);
  const sigset_t alarms = set_of(SIGALRM);
  {
    RepeatedAlarm alarm(20);
    EXPECT_EQ(0, this->wait(60 * kMillisecond, &alarms));
  }
  EXPECT_LE(1, handled);  // delivered as the mask was put back
}

TYPED_TEST_P(EngineTest, PutsTheMaskBack) {
  Handler handler(SIGUSR1, count_signal);
  Blocked blocked(SIGUSR1);
  const sigset_t none = empty_set();
  const auto still_blocked = [] {
    const sigset_t mask = current_mask();
    return sigismember(&mask, SIGUSR1) == 1 && sigismember(&mask, SIGUSR2) == 0;
  };
  EXPECT_EQ(0, this->wait(kMillisecond, &none));
  EXPECT_TRUE(still_blocked());
  ::raise(SIGUSR1);
  EXPECT_EQ(-EINTR, this->wait(this->kLong, &none));
  EXPECT_TRUE(still_blocked());
  Descriptor event = make_event(1);
  this->engine.add(event.get(), POLLIN, 7);
  EXPECT_EQ(1, this->wait(this->kLong, &none));
  EXPECT_TRUE(still_blocked());
}

TYPED_TEST_P(EngineTest, IsWokenByAnotherThread) {
  Stopwatch watch;
  typename TestFixture::Later later([this] { this->engine.wake(); });
  ASSERT_EQ(1, this->wait(this->kLong));
  EXPECT_EQ(kWakeToken, this->events[0].token);
  EXPECT_TRUE(watch.in_time(20 * kMillisecond));
}

TYPED_TEST_P(EngineTest, IsWokenByAHandlerThatInterruptsIt) {
  engine_to_wake = &this->engine;
  Handler handler(SIGALRM, wake_from_handler, SA_RESTART);
  {
    RepeatedAlarm alarm(20);
    int result = this->wait(this->kLong);
    EXPECT_TRUE(result == 1 || result == -EINTR) << result;
  }
  this->wait();
  this->engine.wake();
  EXPECT_EQ(1, this->wait());
}

TYPED_TEST_P(EngineTest, IsWokenByAWakeThatCameBefore) {
  EXPECT_EQ(0, this->engine.wake());
  ASSERT_EQ(1, this->wait(this->kLong));
  EXPECT_EQ(kWakeToken, this->events[0].token);
}

TYPED_TEST_P(EngineTest, FoldsWakesIntoOne) {
  for (int i = 0; i < 5; ++i) this->engine.wake();
  EXPECT_EQ(1, this->wait());
  EXPECT_EQ(0, this->wait());
  EXPECT_EQ(0, this->wait(5 * kMillisecond));
}

TYPED_TEST_P(EngineTest, ReportsAWakeBesideEvents) {
  Descriptor event = make_event(1);
  this->engine.add(event.get(), POLLIN, 7);
  this->engine.wake();
  EXPECT_EQ(2u, this->ready().size());
  EXPECT_EQ((typename TestFixture::Found{{7, POLLIN}}), this->ready());
}

TYPED_TEST_P(EngineTest, LosesNoWakeOfManyThreads) {
  constexpr int kThreads = 3, kRounds = 200;
  std::atomic<int> asked[kThreads] = {}, answered[kThreads] = {};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 1; round <= kRounds; ++round) {
        asked[i].store(round);
        this->engine.wake();
        while (answered[i].load() < round) std::this_thread::yield();
      }
    });
  }
  // Each wake ends one wait() that returns after it: whatever was asked for by then is answered.
  for (int done = 0; done < kThreads * kRounds;) {
    Event event;
    const int count = this->engine.wait(&event, 1, Deadline::after(this->kLong), nullptr);
    EXPECT_EQ(1, count) << "a wake was lost";
    for (int i = 0; i < kThreads; ++i) answered[i].store(count == 1 ? asked[i].load() : kRounds);
    done = 0;
    for (int i = 0; i < kThreads; ++i) done += answered[i].load();
    if (count != 1) break;
  }
  for (std::thread& thread : threads) thread.join();
}

TYPED_TEST_P(EngineTest, ForgetsAllRegistrationsWhenItIsClosed) {
  Descriptor event = make_event(1);
  this->engine.add(event.get(), POLLIN, 7);
  this->engine.close();
  this->engine.close();
  EXPECT_GT(0, this->engine.add(event.get(), POLLIN, 7));
  EXPECT_EQ(0, this->engine.open());
  EXPECT_EQ(0, this->wait());
  EXPECT_EQ(-ENOENT, this->engine.remove(event.get()));
  EXPECT_EQ(0, this->engine.wake());
  EXPECT_EQ(1, this->wait());
}

TYPED_TEST_P(EngineTest, ForgetsADescriptorWhoseFileIsClosed) {
  Pipe pipe = make_pipe();
  put(pipe.out.get());
  this->engine.add(pipe.in.get(), POLLIN, 7);
  EXPECT_EQ(1, this->wait());
  pipe.in.close();
  EXPECT_EQ(0, this->wait());
}

TYPED_TEST_P(EngineTest, KeepsNoFileOpen) {
  Pipe pipe = make_pipe();
  this->engine.add(pipe.in.get(), POLLIN, 7);
  this->wait();
  pipe.in.close();
  Handler ignore(SIGPIPE, SIG_IGN);
  EXPECT_EQ(-1, ::write(pipe.out.get(), "x", 1));
  EXPECT_EQ(EPIPE, errno);
}

TYPED_TEST_P(EngineTest, MayReportAClosedNumberWhoseFileLivesOn) {
  Pipe pipe = make_pipe();
  Descriptor copy(::dup(pipe.in.get()));
  this->engine.add(pipe.in.get(), POLLIN, 7);
  const int number = pipe.in.get();
  pipe.in.close();
  put(pipe.out.get());
  for (const auto& [token, bits] : this->ready()) EXPECT_EQ(7u, token);
  EXPECT_EQ(-EBADF, this->engine.remove(number));
  // The copy is another registration.
  EXPECT_EQ(0, this->engine.add(copy.get(), POLLIN, 8));
  EXPECT_EQ(1u, this->ready().count(8));
  copy.close();
  EXPECT_EQ(0, this->wait());
}

TYPED_TEST_P(EngineTest, WatchesACopyApartFromItsOriginal) {
  Descriptor event = make_event(1);
  Descriptor copy(::dup(event.get()));
  EXPECT_EQ(0, this->engine.add(event.get(), POLLIN, 1));
  EXPECT_EQ(0, this->engine.add(copy.get(), POLLOUT, 2));
  EXPECT_EQ((typename TestFixture::Found{{1, POLLIN}, {2, POLLOUT}}), this->ready());
  EXPECT_EQ(0, this->engine.remove(event.get()));
  EXPECT_EQ((typename TestFixture::Found{{2, POLLOUT}}), this->ready());
}

TYPED_TEST_P(EngineTest, WatchesTheNewFileOfAReusedNumber) {
  Descriptor first = make_event(1);
  const int number = first.get();
  this->engine.add(number, POLLIN, 1);
  first.close();
  Descriptor second = make_event();
  ASSERT_EQ(number, second.get());
  EXPECT_EQ(-ENOENT, this->engine.change(number, POLLIN, 2));
  EXPECT_EQ(0, this->engine.add(number, POLLIN, 2));
  EXPECT_EQ(0, this->wait());
  add_to_event(number);
  EXPECT_EQ((typename TestFixture::Found{{2, POLLIN}}), this->ready());
}

TYPED_TEST_P(EngineTest, LeavesNoDescriptorOpen) {
  const auto before = unit::open_descriptors();
  {
    TypeParam other;
    Descriptor event = make_event(1);
    Event out;
    EXPECT_EQ(0, other.engine.add(event.get(), POLLIN, 1));
    EXPECT_EQ(1, other.engine.wait(&out, 1, Deadline::now(), nullptr));
    other.engine.wake();
    other.engine.close();
    EXPECT_EQ(0, other.engine.open());
  }
  EXPECT_EQ(before, unit::open_descriptors());
}

TYPED_TEST_P(EngineTest, SaysWhyItCannotBeOpened) {
  this->engine.close();
  EXPECT_EQ(0, run_in_child([this] {
    rlimit none{0, 0};
    REQUIRE_IN_CHILD(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    errno = 0;
    REQUIRE_IN_CHILD(this->engine.open() == -EMFILE);
    REQUIRE_IN_CHILD(errno == 0);
  }));
}

TYPED_TEST_P(EngineTest, LeavesErrnoAlone) {
  errno = 4242;
  this->engine.add(-1, POLLIN, 1);
  this->engine.change(-1, POLLIN, 1);
  this->engine.remove(-1);
  this->engine.wake();
  this->engine.close();
  this->engine.open();
  EXPECT_EQ(4242, errno);
}

REGISTER_TYPED_TEST_SUITE_P(
    EngineTest, ReportsNothingWhenNothingIsWatched, ReportsAReadyDescriptorWithItsToken,
    ReportsADescriptorThatWasReadyBeforeItWasAdded, RepeatsAnEventForAsLongAsItStands, ReportsOnlyWhatIsWatchedFor,
    ReportsHangUpAndErrorUnasked, ReportsTheEndOfAStreamToWhoAsksForIt, RefusesToAddWhatItHas,
    RefusesClosedDescriptorsAndNegativeOnes, RefusesFilesThatCannotBeWatched,
    RefusesToChangeAndRemoveWhatItDoesNotHave, ChangesTheToken, ForgetsWhatIsRemoved,
    ReportsAtMostTheMaximumAndComesToAllInTurn, NeverComesBackBeforeTheDeadline, WaitsForAPointOfEitherClock,
    SleepsUntilThereIsAnEvent, SleepsThroughReadinessThatIsNotWatchedFor, IsInterruptedByAHandlerWithAndWithoutRestart,
    IsNotInterruptedByIgnoredSignals, DoesNotSeeAStopAndContinuation, LetsAReadyDescriptorWinOverAPendingSignal,
    IsInterruptedByAPendingSignalEvenIfTheDeadlineHasPassed, LeavesASignalPendingThatTheMaskBlocks,
    BlocksWhatTheMaskBlocksForTheSleep, PutsTheMaskBack, IsWokenByAnotherThread, IsWokenByAHandlerThatInterruptsIt,
    IsWokenByAWakeThatCameBefore, FoldsWakesIntoOne, ReportsAWakeBesideEvents, LosesNoWakeOfManyThreads,
    ForgetsAllRegistrationsWhenItIsClosed, ForgetsADescriptorWhoseFileIsClosed, KeepsNoFileOpen,
    MayReportAClosedNumberWhoseFileLivesOn, WatchesACopyApartFromItsOriginal, WatchesTheNewFileOfAReusedNumber,
    LeavesNoDescriptorOpen, SaysWhyItCannotBeOpened, LeavesErrnoAlone);

}  // namespace kev::engine
