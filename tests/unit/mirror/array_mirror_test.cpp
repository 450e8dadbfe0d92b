// An array mirror against poll(2): whatever it answers is what the kernel says of the same array at the same moment.
#include "mirror/array_mirror.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "os/clock.hpp"
#include "record/registry.hpp"
#include "mirror/tuning.hpp"
#include "process/fd_table.hpp"
#include "process/private_fds.hpp"
#include "support/child.hpp"
#include "support/open_descriptors.hpp"
#include "support/signals.hpp"
#include "support/watched_array.hpp"

namespace kev::mirror {
namespace {

using namespace conformance;
using stats::Fallback;
using unit::WatchedArray;
using wait::Deadline;

class ArrayMirrorTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(record::start()); }
  // What can be watched is at once; verifications are asked for by name.
  ArrayMirrorTest() {
    tuning = kEager;
    tuning.verify_ns = 1000 * kSecond;
  }
  ~ArrayMirrorTest() override {
    mirror.close();
    tuning = {};
  }

  bool open(unsigned count) { return mirror.open(count, -1) == 0; }
  bool sync(const std::vector<pollfd>& fds) {
    return mirror.sync(fds.data(), static_cast<unsigned>(fds.size()), reason);
  }

  // Brings the mirror in step and lets it answer, with the kernel's word beside it. How the wait ended, if not by an
  // answer, is in `reason`.
  ::testing::AssertionResult agrees(std::vector<pollfd>& fds) {
    answered = false;
    for (pollfd& entry : fds)
      if (garbage_++ % 5 != 0) entry.revents = 0x5a5a;
    if (!sync(fds)) return ::testing::AssertionSuccess();
    std::vector<pollfd> truth = fds;
    wait::SignalGate gate;
    Answer answer = mirror.wait(fds.data(), static_cast<unsigned>(fds.size()), Deadline::now(), nullptr, gate);
    gate.open();
    reason = answer.reason;
    if (answer.kind == Answer::Kind::finish) return ::testing::AssertionSuccess();
    answered = true;
    int expected = unit::kernel_poll(truth);
    if (answer.result != expected)
      return ::testing::AssertionFailure() << "returned " << answer.result << ", the kernel " << expected;
    return unit::same_results(fds, truth);
  }
  ::testing::AssertionResult answers(std::vector<pollfd>& fds) {
    ::testing::AssertionResult result = agrees(fds);
    if (!result || answered) return result;
    return ::testing::AssertionFailure() << "was left to the kernel for reason " << static_cast<int>(reason);
  }

  ArrayMirror mirror;
  Fallback reason = {};
  bool answered = false;

 private:
  unsigned garbage_ = 0;
};

// A quiet file takes a number's place, while the old one lives on.
struct Replaced {
  explicit Replaced(int number) : old_file(::dup(number)), new_file(make_event()) { ::dup2(new_file.get(), number); }
  Descriptor old_file, new_file;
};

TEST_F(ArrayMirrorTest, AnswersForAnArrayOfQuietDescriptors) {
  WatchedArray array(20);
  ASSERT_TRUE(open(20));
  EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(20u, mirror.registrations());
  add_to_event(array.events[7].get());
  EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(POLLIN, array.fds[7].revents);
  EXPECT_TRUE(answers(array.fds));
  drain(array.events[7].get());
  EXPECT_TRUE(answers(array.fds));
}

TEST_F(ArrayMirrorTest, KnowsTheSameDescriptorInSeveralPlaces) {
  WatchedArray array(20);
  for (int i = 0; i < 4; ++i) array.fds.push_back(array.fds[3]);
  array.fds[20].events = POLLOUT;
  array.fds[21].events = POLLIN | POLLOUT;
  array.fds[22].events = 0;
  ASSERT_TRUE(open(24));
  EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(20u, mirror.registrations());
  add_to_event(array.events[3].get());
  EXPECT_TRUE(answers(array.fds));
  array.fds[3].fd = -1;
  array.fds[21].events = POLLPRI;
  EXPECT_TRUE(answers(array.fds));
  array.fds.resize(21);
  EXPECT_TRUE(answers(array.fds));
}

TEST_F(ArrayMirrorTest, SkipsNegativeDescriptors) {
  WatchedArray array(20);
  array.fds[0].fd = -1;
  array.fds[1].fd = INT32_MIN;
  ASSERT_TRUE(open(20));
  EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(18u, mirror.registrations());
}

TEST_F(ArrayMirrorTest, MasksEventBitsAsTheKernelDoes) {
  WatchedArray array(20);
  Pipe pair = make_socketpair(SOCK_STREAM);
  array.fds[2] = {pair.in.get(), -1, 0};
  ASSERT_TRUE(open(20));
  EXPECT_TRUE(answers(array.fds));
  put(pair.out.get());
  EXPECT_TRUE(answers(array.fds));
  pair.out.close();
  EXPECT_TRUE(answers(array.fds));
}

TEST_F(ArrayMirrorTest, AnswersForClosedDescriptorsByAskingOfThem) {
  WatchedArray array(20);
  const int closed = make_event().get();
  array.fds[4].fd = closed;
  ASSERT_TRUE(open(20));
  EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(POLLNVAL, array.fds[4].revents);
  EXPECT_EQ(19u, mirror.registrations());
  array.fds[4].fd = array.fds[5].fd;
  EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(0u, mirror.direct());
}

// A number that is not open says nothing of how many the program uses.
TEST_F(ArrayMirrorTest, CanBeOpenedAfterAnArrayThatHeldALargeClosedNumber) {
  EXPECT_EQ(0, run_in_child([this] {
    WatchedArray array(20);
    const int before = array.fds[4].fd;
    array.fds[4].fd = 19'000;
    REQUIRE_IN_CHILD(open(20));
    REQUIRE_IN_CHILD(sync(array.fds));
    mirror.close();
    array.fds[4].fd = before;
    REQUIRE_IN_CHILD(open(20));
    REQUIRE_IN_CHILD(sync(array.fds));
  }));
}

TEST_F(ArrayMirrorTest, AsksDirectlyOfKindsThatOnlyTheKernelMayPoll) {
  WatchedArray array(20);
  Descriptor mounts(::open("/proc/self/mounts", O_RDONLY | O_CLOEXEC)), file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  array.fds[4].fd = mounts.get();
  array.fds[5].fd = file.get();
  ASSERT_TRUE(open(20));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(18u, mirror.registrations());
  EXPECT_EQ(2u, mirror.direct());
}

TEST_F(ArrayMirrorTest, LeavesWhatMayConsumeToTheKernelIfACloseFailsTheCall) {
  WatchedArray array(20);
  Descriptor mounts(::open("/proc/self/mounts", O_RDONLY | O_CLOEXEC));
  const int closed = make_event().get();
  for (auto [fd, why] : {std::pair{mounts.get(), Fallback::kind}, std::pair{closed, Fallback::closed}}) {
    array.fds[4].fd = fd;
    ASSERT_EQ(0, mirror.open(20, -1, ArrayMirror::Closed::fails_the_call));
    EXPECT_FALSE(sync(array.fds));
    EXPECT_EQ(why, reason);
    mirror.close();
  }
}

// The poll of /proc/self/mounts consumes what it says. Here it has said it when it turns out that the engine has more
// than fits.
TEST_F(ArrayMirrorTest, KeepsWhatAPollHasConsumedThroughAnOverflow) {
  EXPECT_EQ(0, run_in_child([this] {
    REQUIRE_IN_CHILD(::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
    WatchedArray array(200);
    Descriptor mounts(::open("/proc/self/mounts", O_RDONLY | O_CLOEXEC));
    array.fds[4] = {mounts.get(), POLLPRI, 0};
    unit::kernel_poll(array.fds);
    REQUIRE_IN_CHILD(open(200));
    REQUIRE_IN_CHILD(answers(array.fds));
    REQUIRE_IN_CHILD(::mount("none", "/proc/sys", "tmpfs", 0, nullptr) == 0);
    for (std::size_t i = 100; i < 200; ++i) add_to_event(array.events[i].get());
    REQUIRE_IN_CHILD(sync(array.fds));
    wait::SignalGate gate;
    Answer answer = mirror.wait(array.fds.data(), 200, Deadline::now(), nullptr, gate);
    REQUIRE_IN_CHILD(answer.kind == Answer::Kind::done);
    REQUIRE_IN_CHILD(answer.result == 101);
    REQUIRE_IN_CHILD((array.fds[4].revents & POLLPRI) != 0);
    for (std::size_t i = 100; i < 200; ++i) REQUIRE_IN_CHILD(array.fds[i].revents == POLLIN);
  }));
}

TEST_F(ArrayMirrorTest, AsksDirectlyOfDescriptorsThatTooManyHold) {
  WatchedArray array(20);
  ArrayMirror others[4];
  for (ArrayMirror& other : others) {
    ASSERT_EQ(0, other.open(20, -1));
    ASSERT_TRUE(other.sync(array.fds.data(), 20, reason));
  }
  ASSERT_TRUE(open(20));
  EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(0u, mirror.registrations());
  mirror.close();
  others[0].close();
  ASSERT_TRUE(open(20));
  EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(20u, mirror.registrations());
  for (ArrayMirror& other : others) other.close();
}

// By cost, there is nothing in it for such an array.
TEST_F(ArrayMirrorTest, GivesUpWhereMostCannotBeWatched) {
  tuning.choose_by_cost = true;
  WatchedArray array(40);
  Descriptor file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  std::vector<Descriptor> files;
  for (std::size_t i = 0; i < 30; ++i) {
    files.emplace_back(::dup(file.get()));
    array.fds[i].fd = files.back().get();
  }
  ASSERT_TRUE(open(40));
  EXPECT_FALSE(sync(array.fds));
  EXPECT_EQ(Fallback::kind, reason);
}

TEST_F(ArrayMirrorTest, FollowsAnArrayThatChangedWholesaleOnce) {
  WatchedArray array(100), other(100);
  ASSERT_TRUE(open(100));
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(answers(array.fds));
  EXPECT_TRUE(answers(other.fds));
  EXPECT_EQ(0u, mirror.direct());
  EXPECT_GE(164u, mirror.registrations());
  EXPECT_FALSE(sync(array.fds));
  EXPECT_EQ(Fallback::changed, reason);
}

TEST_F(ArrayMirrorTest, KeepsADescriptorThatLeavesForAWhile) {
  WatchedArray array(20);
  ASSERT_TRUE(open(20));
  EXPECT_TRUE(answers(array.fds));
  const pollfd away = array.fds[7];
  array.fds[7].fd = -1;
  EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(20u, mirror.registrations());
  array.fds[7] = away;
  EXPECT_TRUE(answers(array.fds));
  array.fds[7].fd = -1;
  EXPECT_TRUE(answers(array.fds));
  add_to_event(away.fd);
  EXPECT_TRUE(answers(array.fds));  // nothing asks for it
  EXPECT_EQ(19u, mirror.registrations());
  array.fds[7] = away;
  EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(POLLIN, array.fds[7].revents);
}

TEST_F(ArrayMirrorTest, KeepsOnlySomeOfThoseThatLeft) {
  WatchedArray array(400);
  ASSERT_TRUE(open(400));
  EXPECT_TRUE(answers(array.fds));
  array.fds.resize(330);
  EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(330u, mirror.registrations());
}

TEST_F(ArrayMirrorTest, AsksDirectlyOfWhatIsBusyUntilItIsQuiet) {
  WatchedArray array(20);
  ASSERT_TRUE(open(20));
  EXPECT_TRUE(answers(array.fds));
  add_to_event(array.fds[7].fd);
  EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(0u, mirror.direct());
  EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(1u, mirror.direct());
  EXPECT_EQ(19u, mirror.registrations());
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(1u, mirror.direct());
  drain(array.fds[7].fd);
  for (unsigned i = 0; i <= tuning.watch_after; ++i) EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(0u, mirror.direct());
  add_to_event(array.fds[7].fd);
  EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(POLLIN, array.fds[7].revents);
}

TEST_F(ArrayMirrorTest, WatchesByAndByWhatCameAndIsQuiet) {
  tuning.watch_new_after = 16;
  tuning.watch_after = 128;
  WatchedArray array(100);
  ASSERT_TRUE(open(100));
  for (int i = 0; i < 16; ++i) EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(100u, mirror.direct());
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(answers(array.fds));
  EXPECT_LT(50u, mirror.direct());
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(0u, mirror.direct());
}

TEST_F(ArrayMirrorTest, AsksDirectlyOfAllThatIsReadyOnceMuchIs) {
  tuning.watch_after = 128;
  WatchedArray array(400);
  ASSERT_TRUE(open(400));
  EXPECT_TRUE(answers(array.fds));
  for (std::size_t i = 0; i < 300; ++i) add_to_event(array.events[i].get());
  EXPECT_TRUE(agrees(array.fds));
  EXPECT_FALSE(answered);
  EXPECT_EQ(Fallback::mostly_ready, reason);
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(agrees(array.fds));
  EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(300u, mirror.direct());
  EXPECT_EQ(100u, mirror.registrations());
}

TEST_F(ArrayMirrorTest, FollowsANumberThatIsClosedAndReused) {
  WatchedArray array(20);
  ASSERT_TRUE(open(20));
  EXPECT_TRUE(answers(array.fds));
  const int number = array.fds[6].fd;
  Pipe pipe = make_pipe();
  ASSERT_EQ(number, ::dup2(pipe.in.get(), number));
  process::fd_changed(number);
  EXPECT_TRUE(answers(array.fds));
  put(pipe.out.get());
  EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(POLLIN, array.fds[6].revents);
}

TEST_F(ArrayMirrorTest, FollowsANumberWhoseOldFileLivesOn) {
  WatchedArray array(20);
  ASSERT_TRUE(open(20));
  EXPECT_TRUE(answers(array.fds));
  Replaced replaced(array.fds[6].fd);
  process::fd_changed(array.fds[6].fd);
  add_to_event(replaced.old_file.get());
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(agrees(array.fds));
  EXPECT_TRUE(answered);
  EXPECT_EQ(0, array.fds[6].revents);
  add_to_event(replaced.new_file.get());
  EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(POLLIN, array.fds[6].revents);
}

// The old file is ready and stays so, under a number that cannot be taken out of the set.
TEST_F(ArrayMirrorTest, DoesNotLookForEverForWhatIsNotThere) {
  EXPECT_EQ(0, run_in_child([this] {
    ::alarm(5);
    WatchedArray array(20);
    Descriptor file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    array.fds[5] = {file.get(), POLLPRI, 0};  // asked directly
    REQUIRE_IN_CHILD(open(20));
    REQUIRE_IN_CHILD(answers(array.fds));
    Replaced replaced(array.fds[6].fd);
    process::fd_changed(array.fds[6].fd);
    add_to_event(replaced.old_file.get());
    for (int i = 0; i < 3; ++i) REQUIRE_IN_CHILD(agrees(array.fds));
    REQUIRE_IN_CHILD(answered && array.fds[6].revents == 0);
  }));
}

TEST_F(ArrayMirrorTest, FollowsACloseThatIsTheEnd) {
  WatchedArray array(20);
  ASSERT_TRUE(open(20));
  EXPECT_TRUE(answers(array.fds));
  const int number = array.fds[6].fd;
  array.events[6].close();
  process::fd_changed(number);
  EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(POLLNVAL, array.fds[6].revents);
  array.fds[6].fd = -1;
  EXPECT_TRUE(answers(array.fds));
}

TEST_F(ArrayMirrorTest, StartsOverWhenAStaleRegistrationReports) {
  WatchedArray array(20);
  ASSERT_TRUE(open(20));
  EXPECT_TRUE(answers(array.fds));
  Replaced replaced(array.fds[6].fd);  // nobody was told
  add_to_event(replaced.old_file.get());
  EXPECT_TRUE(agrees(array.fds));
  EXPECT_FALSE(answered);
  EXPECT_EQ(Fallback::unconfirmed, reason);
  EXPECT_TRUE(answers(array.fds));
  add_to_event(replaced.new_file.get());
  EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(POLLIN, array.fds[6].revents);
}

// A descriptor that was closed and reused, and nobody was told: the mirror does not see what becomes of the new file.
TEST_F(ArrayMirrorTest, VerifiesItsAnswersEachPeriod) {
  WatchedArray array(20);
  ASSERT_TRUE(open(20));
  EXPECT_TRUE(answers(array.fds));
  Descriptor other = make_event();
  ::dup2(other.get(), array.fds[6].fd);
  add_to_event(other.get());
  ASSERT_TRUE(sync(array.fds));
  wait::SignalGate gate;
  EXPECT_EQ(0, mirror.wait(array.fds.data(), 20, Deadline::now(), nullptr, gate).result);
  mirror.verify_next();
  EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(POLLIN, array.fds[6].revents);
  EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(POLLIN, array.fds[6].revents);
}

TEST_F(ArrayMirrorTest, LeavesLongSleepsToTheKernel) {
  WatchedArray array(20);
  tuning.verify_ns = 2 * kMillisecond;
  Stopwatch watch;
  ASSERT_TRUE(open(20));
  ASSERT_TRUE(sync(array.fds));
  wait::SignalGate gate;
  Answer answer = mirror.wait(array.fds.data(), 20, Deadline::after(5 * kSecond), nullptr, gate);
  gate.open();
  EXPECT_EQ(Answer::Kind::finish, answer.kind);
  EXPECT_EQ(Fallback::long_sleep, answer.reason);
  EXPECT_TRUE(watch.in_time(2 * kMillisecond));
}

// As ppoll() does whose time is over when it begins.
TEST_F(ArrayMirrorTest, LetsAPendingSignalInAlsoIfTheDeadlineHasPassed) {
  WatchedArray array(20);
  ASSERT_TRUE(open(20));
  EXPECT_TRUE(answers(array.fds));
  Handler handler(SIGUSR1, [](int) {}, 0);
  sigset_t blocked, none;
  ::sigemptyset(&none);
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  ::raise(SIGUSR1);
  ASSERT_TRUE(sync(array.fds));
  wait::SignalGate gate;
  Answer answer = mirror.wait(array.fds.data(), 20, Deadline::at(CLOCK_MONOTONIC, 1), &none, gate);
  gate.open();
  EXPECT_EQ(Answer::Kind::done, answer.kind);
  EXPECT_EQ(-EINTR, answer.result);
  ::pthread_sigmask(SIG_UNBLOCK, &blocked, nullptr);
}

// Entries are exchanged up to half of the array at a time, and the array grows up to its capacity: the old and the
// new must fit at once. (In a child, for a table that is full has no end.)
TEST_F(ArrayMirrorTest, HasRoomForOldAndNewWhileHalfOfTheArrayIsExchanged) {
  for (unsigned first : {16u, 64u, 128u}) {
    EXPECT_EQ(0, run_in_child([=, this] {
      ::alarm(2);
      REQUIRE_IN_CHILD(open(first));
      const unsigned capacity = mirror.capacity();
      WatchedArray array(capacity), others(capacity);
      std::vector<pollfd> fds;
      while (fds.size() < capacity) {
        const std::size_t step = std::min<std::size_t>(capacity - fds.size(), std::max<std::size_t>(8, fds.size() / 2));
        for (std::size_t i = 0; i < step; ++i) fds.push_back(array.fds[fds.size()]);
        REQUIRE_IN_CHILD(sync(fds));
      }
      for (unsigned i = 0; i < capacity / 2; ++i) fds[i] = others.fds[i];
      REQUIRE_IN_CHILD(sync(fds));
      REQUIRE_IN_CHILD(mirror.registrations() + mirror.direct() == capacity);
    })) << "opened for " << first;
  }
}

// As above, with every entry that leaves leaving for good: the time it takes is not that of all entries times all.
TEST_F(ArrayMirrorTest, DropsManyDescriptorsAtOnceInTime) {
  constexpr unsigned kCount = 12000;
  if (!allow_descriptors(kCount + 100)) GTEST_SKIP() << "needs " << kCount << " descriptors";
  WatchedArray array(kCount);
  ASSERT_TRUE(open(kCount));
  Stopwatch coming;
  ASSERT_TRUE(sync(array.fds));
  const std::int64_t registered = coming.elapsed();
  array.fds.resize(kCount * 2 / 3 + 1);
  Stopwatch leaving;
  ASSERT_TRUE(sync(array.fds));
  EXPECT_GT(registered, leaving.elapsed());
  EXPECT_EQ(kCount * 2 / 3 + 1, mirror.registrations());
}

TEST_F(ArrayMirrorTest, IsFinishedByTheKernelIfItsSetIsGone) {
  WatchedArray array(20);
  ASSERT_TRUE(open(20));
  EXPECT_TRUE(answers(array.fds));
  for (int fd : unit::open_descriptors("eventpoll")) {
    process::discard_private(fd);
  }
  ASSERT_TRUE(sync(array.fds));
  wait::SignalGate gate;
  Answer answer = mirror.wait(array.fds.data(), 20, Deadline::now(), nullptr, gate);
  gate.open();
  EXPECT_EQ(Answer::Kind::finish, answer.kind);
  EXPECT_TRUE(answers(array.fds));  // made anew
}

// By a call that nobody has seen: the engine's number is another file's, and quiet.
// What was not in the array when it was verified is not verified by that: one of two arrays that take turns could go
// unverified for ever.
TEST_F(ArrayMirrorTest, LooksAnewAtWhatComesBackAfterAVerification) {
  WatchedArray array(20);
  ASSERT_TRUE(open(20));
  EXPECT_TRUE(answers(array.fds));
  const pollfd last = array.fds.back();
  array.fds.pop_back();
  EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(20u, mirror.registrations()) << "kept for a while";
  Replaced replaced(last.fd);
  add_to_event(replaced.new_file.get());
  mirror.verify_next();
  EXPECT_TRUE(answers(array.fds));
  array.fds.push_back(last);
  EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(POLLIN, array.fds.back().revents);
}

// A clock that goes on at a word, and by itself after its next reading.
struct Clock {
  Clock() { os::clock_function = read; }
  ~Clock() { os::clock_function = ::clock_gettime; }
  static int read(clockid_t, timespec* time) {
    *time = {ns / kSecond, ns % kSecond};
    ns += std::exchange(after_reading, 0);
    return 0;
  }
  static inline std::int64_t ns = kSecond, after_reading = 0;
};

// A thread that lost its processor as the kernel was looking has an old answer.
TEST_F(ArrayMirrorTest, CountsItsPeriodFromTheBeginningOfAVerification) {
  Clock clock;
  tuning.verify_ns = 5 * kMillisecond;
  WatchedArray array(20);
  ASSERT_TRUE(open(20));
  EXPECT_TRUE(answers(array.fds));
  mirror.verify_next();
  Clock::after_reading = 4 * kMillisecond;
  EXPECT_TRUE(answers(array.fds));
  Replaced replaced(array.fds[7].fd);
  add_to_event(replaced.new_file.get());
  Clock::ns += 2 * kMillisecond;
  EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(POLLIN, array.fds[7].revents);
}

TEST_F(ArrayMirrorTest, LearnsThatItsSetIsGoneWhenItVerifies) {
  WatchedArray array(20);
  ASSERT_TRUE(open(20));
  EXPECT_TRUE(answers(array.fds));
  Descriptor quiet = make_event();
  for (int fd : unit::open_descriptors("eventpoll")) ASSERT_EQ(fd, ::dup2(quiet.get(), fd));
  add_to_event(array.fds[3].fd);
  mirror.verify_next();
  EXPECT_TRUE(answers(array.fds));
  add_to_event(array.fds[4].fd);
  EXPECT_TRUE(answers(array.fds));
  EXPECT_EQ(POLLIN, array.fds[4].revents);
}

// A handler forked, or took the engine away: what is watched must not be missed beside what is asked directly.
TEST_F(ArrayMirrorTest, AsksOfEverythingIfItsEngineIsGone) {
  WatchedArray array(20);
  Descriptor file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  array.fds[5].fd = file.get();
  ASSERT_TRUE(open(20));
  ASSERT_TRUE(sync(array.fds));
  mirror.disconnect();
  add_to_event(array.fds[7].fd);
  wait::SignalGate gate;
  Answer answer = mirror.wait(array.fds.data(), 20, Deadline::now(), nullptr, gate);
  EXPECT_EQ(Answer::Kind::done, answer.kind);
  EXPECT_EQ(2, answer.result);
  EXPECT_EQ(POLLIN, array.fds[7].revents);
}

TEST_F(ArrayMirrorTest, HoldsNothingOnceItIsClosed) {
  WatchedArray array(20);
  const auto before = unit::open_descriptors();
  ASSERT_TRUE(open(20));
  EXPECT_TRUE(answers(array.fds));
  mirror.close();
  mirror.close();
  EXPECT_FALSE(mirror.is_open());
  EXPECT_EQ(before, unit::open_descriptors());
  for (const pollfd& entry : array.fds) EXPECT_EQ(0u, process::fd_marks(entry.fd) & process::kHolders);
}

TEST_F(ArrayMirrorTest, SaysSoIfItCannotBeOpened) {
  EXPECT_EQ(0, run_in_child([this] {
    rlimit none{0, 0};
    REQUIRE_IN_CHILD(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    REQUIRE_IN_CHILD(mirror.open(20, -1) == -EMFILE);
    REQUIRE_IN_CHILD(!mirror.is_open());
  }));
}

// A pool of files of several kinds at fixed numbers, on which things happen.
class Files {
 public:
  explicit Files(std::size_t count, std::mt19937& random) : random_(random) {
    for (std::size_t i = 0; i < count; ++i) {
      numbers_.push_back(-1);
      partners_.emplace_back();
      open(i);
    }
  }
  ~Files() {
    for (int fd : numbers_) ::close(fd);
  }
  int any() { return numbers_[random_() % numbers_.size()]; }

  // Something happens to one of them; their numbers stay.
  void happen() {
    const std::size_t i = random_() % numbers_.size();
    const int fd = numbers_[i];
    switch (random_() % 12) {
      case 0: case 1: stir(i); break;
      case 2: case 3: case 4: drain(fd); break;
      case 5: partners_[i].close(); break;
      case 6:
        ::close(fd);
        process::fd_changed(fd);
        break;
      default: open(i); break;
    }
  }
  // Nothing is ready any more.
  void calm() {
    for (int fd : numbers_) drain(fd);
  }

 private:
  void stir(std::size_t i) {
    const std::uint64_t one = 1;
    const int fd = partners_[i].get() >= 0 ? partners_[i].get() : numbers_[i];
    [[maybe_unused]] ssize_t n = ::write(fd, &one, sizeof one);
  }
  void open(std::size_t i) {
    Descriptor fresh;
    partners_[i].close();
    switch (random_() % 3) {
      case 0: fresh = make_event(); break;
      case 1: {
        Pipe pipe = make_pipe();
        fresh = std::move(pipe.in);
        partners_[i] = std::move(pipe.out);
        break;
      }
      default: {
        Pipe pair = make_socketpair(SOCK_STREAM);
        fresh = std::move(pair.in);
        partners_[i] = std::move(pair.out);
      }
    }
    if (numbers_[i] < 0) {
      numbers_[i] = ::fcntl(fresh.get(), F_DUPFD_CLOEXEC, 200);
      return;
    }
    ::dup3(fresh.get(), numbers_[i], O_CLOEXEC);
    process::fd_changed(numbers_[i]);
  }

  std::mt19937& random_;
  std::vector<int> numbers_;
  std::vector<Descriptor> partners_;
};

short some_events(std::mt19937& random) {
  constexpr short kEvents[] = {POLLIN, POLLIN, POLLIN, POLLIN | POLLPRI, 0, POLLRDHUP, POLLIN | POLLRDHUP, POLLOUT, -1};
  return kEvents[random() % std::size(kEvents)];
}

class ArrayMirrorModelTest : public ArrayMirrorTest, public ::testing::WithParamInterface<unsigned> {};

INSTANTIATE_TEST_SUITE_P(Seed, ArrayMirrorModelTest, ::testing::Values(1u, 2u, 3u, 4u));

TEST_P(ArrayMirrorModelTest, AnswersAsPollDoesThroughRandomChanges) {
  std::mt19937 random(GetParam());
  ::signal(SIGPIPE, SIG_IGN);
  Files files(40, random);
  std::vector<pollfd> fds;
  const auto entry = [&]() -> pollfd {
    if (random() % 12 == 0) return {-1 - static_cast<int>(random() % 3), some_events(random), 0};
    return {files.any(), some_events(random), 0};
  };
  for (int i = 0; i < 24; ++i) fds.push_back(entry());
  int given = 0, steps = 0;
  for (; steps < 4000; ++steps) {
    switch (random() % 10) {
      case 0: case 1: files.happen(); break;
      case 2: fds[random() % fds.size()].events = some_events(random); break;
      case 3: fds[random() % fds.size()] = entry(); break;
      case 4: std::swap(fds[random() % fds.size()], fds[random() % fds.size()]); break;
      case 5: if (fds.size() < 60) fds.push_back(entry()); break;
      case 6: if (fds.size() > 12) fds.erase(fds.begin() + static_cast<std::ptrdiff_t>(random() % fds.size())); break;
      case 7: for (int i = 0; i < 3; ++i) fds[random() % fds.size()] = entry(); break;
      case 8: if (random() % 20 == 0) std::shuffle(fds.begin(), fds.end(), random); break;
      default: if (random() % 4 == 0) files.calm(); break;
    }
    // What poll() itself does not answer with much ready, for the mirror is to have its share of the steps.
    std::vector<pollfd> now = fds;
    for (std::size_t i = 0, left = unit::kernel_poll(now) > 3 ? fds.size() : 0; i < left; ++i)
      if (now[i].revents != 0 && random() % 3 != 0) fds[i].fd = -1;
    if (!mirror.is_open() || mirror.capacity() < fds.size()) {
      mirror.close();
      ASSERT_TRUE(open(static_cast<unsigned>(fds.size())));
    }
    ASSERT_TRUE(agrees(fds)) << "in step " << steps;
    given += answered;
    if (!answered && reason == Fallback::changed) mirror.close();
  }
  std::printf("[ ANSWERED ] %d of %d\n", given, steps);
  EXPECT_LT(steps / 8, given);
}

}  // namespace
}  // namespace kev::mirror
