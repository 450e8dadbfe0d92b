// A select mirror against select(2): the same bits, the same count, for the same sets at the same moment.
#include "mirror/select_mirror.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

#include "record/registry.hpp"
#include "mirror/tuning.hpp"
#include "os/poll.hpp"
#include "process/fd_table.hpp"
#include "support/open_descriptors.hpp"
#include "support/stopwatch.hpp"
#include "support/watched_array.hpp"

namespace kev::mirror {
namespace {

using namespace conformance;
using stats::Fallback;
using unit::WatchedArray;
using wait::Deadline;

constexpr unsigned kIn = 1, kOut = 2, kExcept = 4;

// The three sets, some of which may not be passed.
struct Bits {
  fd_set set[3];
  unsigned passed = kIn | kOut | kExcept;

  Bits() {
    for (fd_set& one : set) FD_ZERO(&one);
  }
  void want(int fd, unsigned what) {
    for (unsigned i = 0; i < 3; ++i) {
      if ((what >> i & 1) != 0) FD_SET(fd, &set[i]);
      else FD_CLR(fd, &set[i]);
    }
  }
  fd_set* pass(unsigned i) { return (passed >> i & 1) != 0 ? &set[i] : nullptr; }
  Sets sets() {
    return {reinterpret_cast<Sets::Word*>(pass(0)), reinterpret_cast<Sets::Word*>(pass(1)),
            reinterpret_cast<Sets::Word*>(pass(2))};
  }
  int kernel(int nfds) {
    timespec zero = {0, 0};
    return os::pselect(nfds, pass(0), pass(1), pass(2), &zero, nullptr);
  }
  bool operator==(const Bits& other) const { return std::memcmp(set, other.set, sizeof set) == 0; }
};

class SelectMirrorTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(record::start()); }
  SelectMirrorTest() {
    tuning = kEager;
    tuning.verify_ns = 1000 * kSecond;
  }
  ~SelectMirrorTest() override {
    mirror.close();
    tuning = {};
  }

  bool open(int nfds) { return mirror.open(nfds, -1) == 0; }

  ::testing::AssertionResult agrees(Bits bits, int nfds) {
    answered = false;
    const Bits before = bits;
    Bits truth = bits;
    if (!mirror.sync(bits.sets(), nfds, reason)) return ::testing::AssertionSuccess();
    wait::SignalGate gate;
    Answer answer = mirror.wait(bits.sets(), nfds, Deadline::now(), nullptr, gate);
    gate.open();
    reason = answer.reason;
    if (answer.kind == Answer::Kind::finish) {
      if (bits == before) return ::testing::AssertionSuccess();
      return ::testing::AssertionFailure() << "the sets were touched before the program's own call";
    }
    answered = true;
    const int expected = truth.kernel(nfds);
    if (answer.result != expected)
      return ::testing::AssertionFailure() << "returned " << answer.result << ", the kernel " << expected;
    if (bits == truth) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "other bits than the kernel's";
  }
  ::testing::AssertionResult answers(const Bits& bits, int nfds) {
    ::testing::AssertionResult result = agrees(bits, nfds);
    if (!result || answered) return result;
    return ::testing::AssertionFailure() << "was left to the kernel for reason " << static_cast<int>(reason);
  }

  SelectMirror mirror;
  Fallback reason = {};
  bool answered = false;
};

TEST(SetsTest, CountDescriptorsBelowTheLimit) {
  Bits bits;
  for (int fd : {0, 63, 64, 130}) bits.want(fd, kIn | kExcept);
  EXPECT_EQ(4u, bits.sets().count(131, 100));
  EXPECT_EQ(3u, bits.sets().count(130, 100));
  EXPECT_EQ(1u, bits.sets().count(63, 100));
  EXPECT_EQ(0u, bits.sets().count(0, 100));
  EXPECT_LE(2u, bits.sets().count(131, 2));
  bits.passed = kOut;
  EXPECT_EQ(0u, bits.sets().count(131, 100));
}

TEST_F(SelectMirrorTest, AnswersForQuietSets) {
  WatchedArray array(40);
  Bits bits;
  for (const pollfd& entry : array.fds) bits.want(entry.fd, kIn);
  const int nfds = array.fds.back().fd + 1;
  ASSERT_TRUE(open(nfds));
  EXPECT_TRUE(answers(bits, nfds));
  add_to_event(array.fds[7].fd);
  EXPECT_TRUE(answers(bits, nfds));
  bits.want(array.fds[7].fd, kIn | kOut);
  EXPECT_TRUE(answers(bits, nfds));
  drain(array.fds[7].fd);
  EXPECT_TRUE(answers(bits, nfds));
}

TEST_F(SelectMirrorTest, DoesNotLookBeyondTheCount) {
  WatchedArray array(40);
  Bits bits;
  for (const pollfd& entry : array.fds) bits.want(entry.fd, kIn);
  add_to_event(array.fds[30].fd);
  ASSERT_TRUE(open(array.fds.back().fd + 1));
  for (std::size_t i : {39u, 31u, 30u, 29u}) EXPECT_TRUE(answers(bits, array.fds[i].fd + 1)) << i;
}

TEST_F(SelectMirrorTest, TakesSetsThatAreNotPassed) {
  WatchedArray array(40);
  Bits bits;
  for (const pollfd& entry : array.fds) bits.want(entry.fd, kIn);
  const int nfds = array.fds.back().fd + 1;
  add_to_event(array.fds[3].fd);
  for (unsigned passed : {kIn, kIn | kExcept, kIn | kOut, kOut | kExcept}) {
    mirror.close();
    ASSERT_TRUE(open(nfds));
    bits.passed = passed;
    EXPECT_TRUE(answers(bits, nfds)) << passed;
  }
}

TEST_F(SelectMirrorTest, FindsTheEndOfAStreamReadable) {
  WatchedArray array(20);
  Pipe pair = make_socketpair(SOCK_STREAM), pipe = make_pipe(), reader = make_pipe();
  Bits bits;
  for (const pollfd& entry : array.fds) bits.want(entry.fd, kIn);
  for (int fd : {pair.in.get(), pipe.in.get()}) bits.want(fd, kIn | kExcept);
  bits.want(reader.out.get(), kExcept);
  const int nfds = reader.out.get() + 1;
  ASSERT_TRUE(open(nfds));
  EXPECT_TRUE(answers(bits, nfds));
  pair.out.close();
  pipe.out.close();
  EXPECT_TRUE(answers(bits, nfds));
}

// An error is always reported by poll(), but select() has no set for it here.
TEST_F(SelectMirrorTest, LeavesWhatNoSetIsReadyForToTheKernel) {
  WatchedArray array(20);
  Pipe pipe = make_pipe();
  Bits bits;
  for (const pollfd& entry : array.fds) bits.want(entry.fd, kIn);
  bits.want(pipe.out.get(), kExcept);
  const int nfds = pipe.out.get() + 1;
  ASSERT_TRUE(open(nfds));
  pipe.in.close();
  EXPECT_TRUE(agrees(bits, nfds));
  EXPECT_FALSE(answered);
}

// A number that was closed unseen, whose file lives on and reports: select() has an error for it, and no bits.
TEST_F(SelectMirrorTest, LeavesANumberThatIsNotOpenToTheKernel) {
  WatchedArray array(20);
  Bits bits;
  for (const pollfd& entry : array.fds) bits.want(entry.fd, kIn);
  const int nfds = array.fds.back().fd + 1;
  ASSERT_TRUE(open(nfds));
  EXPECT_TRUE(answers(bits, nfds));
  Descriptor copy(::dup(array.fds[5].fd));
  array.events[5].close();
  add_to_event(copy.get());
  EXPECT_TRUE(agrees(bits, nfds));
  EXPECT_FALSE(answered);
}

TEST_F(SelectMirrorTest, HoldsNothingOnceItIsClosed) {
  WatchedArray array(20);
  Bits bits;
  for (const pollfd& entry : array.fds) bits.want(entry.fd, kIn);
  const auto before = unit::open_descriptors();
  ASSERT_TRUE(open(array.fds.back().fd + 1));
  EXPECT_TRUE(answers(bits, array.fds.back().fd + 1));
  EXPECT_TRUE(mirror.is_open());
  mirror.close();
  mirror.close();
  EXPECT_FALSE(mirror.is_open());
  EXPECT_EQ(before, unit::open_descriptors());
}

TEST_F(SelectMirrorTest, FitsWhatItWasOpenedFor) {
  ASSERT_TRUE(open(100));
  EXPECT_TRUE(mirror.fits(128));
  EXPECT_FALSE(mirror.fits(129));
}

class SelectMirrorModelTest : public SelectMirrorTest, public ::testing::WithParamInterface<unsigned> {};

INSTANTIATE_TEST_SUITE_P(Seed, SelectMirrorModelTest, ::testing::Values(1u, 2u, 3u));

TEST_P(SelectMirrorModelTest, AnswersAsSelectDoesThroughRandomChanges) {
  std::mt19937 random(GetParam());
  constexpr int kFirst = 100, kLast = 180;
  std::vector<int> open_numbers;
  {
    Descriptor event = make_event();
    for (int fd = kFirst; fd < kLast; fd += 2) {
      Descriptor fresh = make_event();
      ASSERT_EQ(fd, ::dup2(fresh.get(), fd));
      open_numbers.push_back(fd);
    }
  }
  const auto any = [&] { return open_numbers[random() % open_numbers.size()]; };
  Bits bits;
  int nfds = kLast;
  int given = 0;
  constexpr int kSteps = 4000;
  for (int step = 0; step < kSteps; ++step) {
    const int fd = any();
    switch (random() % 8) {
      case 0: bits.want(fd, random() % 3 == 0 ? 0 : kIn | kExcept); break;
      case 1: bits.want(fd, random() % 8 == 0 ? kOut | kIn : kIn); break;
      case 2: nfds = random() % 4 == 0 ? kFirst + static_cast<int>(random() % 100) : kLast; break;
      case 3: bits.passed = random() % 2 == 0 ? static_cast<unsigned>(random() % 8) : 7u; break;
      case 4: add_to_event(fd); break;
      case 5: {
        Descriptor fresh = make_event();
        ::dup2(fresh.get(), fd);
        process::fd_changed(fd);
        break;
      }
      default:
        for (int i = 0; i < 4; ++i) drain(any());
        if (random() % 2 == 0) bits.want(any(), kIn);
        break;
    }
    if (!mirror.is_open() || !mirror.fits(nfds)) {
      mirror.close();
      ASSERT_TRUE(open(nfds));
    }
    ASSERT_TRUE(agrees(bits, nfds)) << "in step " << step;
    given += answered;
    if (!answered && reason == Fallback::changed) mirror.close();
  }
  for (int fd : open_numbers) ::close(fd);
  std::printf("[ ANSWERED ] %d of %d\n", given, kSteps);
  EXPECT_LT(kSteps / 8, given);
}

}  // namespace
}  // namespace kev::mirror
