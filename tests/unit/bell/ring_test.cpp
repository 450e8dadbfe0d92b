// A bell: when it rings, when not, and that nothing is held longer than it should be. Both ways of setting a ring up.
#include "bell/ring.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "support/open_descriptors.hpp"
#include "support/ring_refusal.hpp"

namespace kev::bell {
namespace {

class Set {
 public:
  Set() : set_(epoll_create1(EPOLL_CLOEXEC)), event_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) { control(EPOLL_CTL_ADD, EPOLLIN); }
  ~Set() {
    ::close(event_);
    if (set_ >= 0) ::close(set_);
  }
  void control(int operation, uint32_t bits) {
    epoll_event event = {bits, {.fd = event_}};
    EXPECT_EQ(0, epoll_ctl(set_, operation, event_, &event));
  }
  void write() { EXPECT_EQ(0, eventfd_write(event_, 1)); }
  void drain() {
    eventfd_t value;
    eventfd_read(event_, &value);
  }
  int take() {
    epoll_event event;
    return epoll_wait(set_, &event, 1, 0);
  }
  int fd() const { return set_; }
  int leave() { return std::exchange(set_, -1); }

 private:
  int set_, event_;
};

bool has_rings() {
  static const bool has = [] {
    Ring ring;
    const int error = ring.open();
    ring.close();
    return !unit::is_ring_refusal(error);
  }();
  return has;
}

class RingTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (!has_rings()) GTEST_SKIP() << "this kernel, or a filter, lets nobody have rings";
    ASSERT_EQ(0, ring.open(GetParam()));
  }
  void TearDown() override { ring.close(); }

  // A bell that is known to be silent.
  unsigned silent_bell(const Set& set) {
    const int bell = ring.arm(set.fd());
    EXPECT_GE(bell, 0);
    EXPECT_FALSE(ring.has_news());
    EXPECT_FALSE(ring.is_silent(static_cast<unsigned>(bell)));
    ring.hush();
    return static_cast<unsigned>(bell);
  }

  Ring ring;
};

INSTANTIATE_TEST_SUITE_P(Both, RingTest, ::testing::Values(false, true),
                         [](const auto& which) { return which.param ? "ByDescriptor" : "InOwnMemory"; });

TEST_P(RingTest, HasNoDescriptor) { EXPECT_TRUE(unit::open_descriptors("io_uring").empty()); }

TEST_P(RingTest, RingsWhenAnEventComes) {
  Set set;
  const unsigned bell = silent_bell(set);
  EXPECT_FALSE(ring.has_news());
  set.write();
  EXPECT_TRUE(ring.has_news());
  EXPECT_TRUE(ring.is_silent(bell)) << "who rang is not known yet";
  EXPECT_TRUE(ring.collect());
  EXPECT_FALSE(ring.has_news());
  EXPECT_FALSE(ring.is_silent(bell));
  EXPECT_TRUE(ring.is_armed(bell));
}

TEST_P(RingTest, RingsAnewAfterEachCollect) {
  Set set;
  const unsigned bell = silent_bell(set);
  for (int i = 0; i < 100; ++i) {
    set.write();
    ASSERT_TRUE(ring.has_news()) << i;
    ASSERT_TRUE(ring.collect());
    ASSERT_FALSE(ring.is_silent(bell));
    ASSERT_TRUE(ring.is_armed(bell));
    set.drain();
    ASSERT_EQ(0, set.take());
    ASSERT_FALSE(ring.has_news()) << i;
    ring.hush();
  }
}

// Why silence alone is no answer: what was reported and left does not ring again.
TEST_P(RingTest, DoesNotRingForWhatStands) {
  Set set;
  set.write();
  const int bell = ring.arm(set.fd());
  ASSERT_GE(bell, 0);
  EXPECT_FALSE(ring.has_news());
  EXPECT_FALSE(ring.is_silent(static_cast<unsigned>(bell)));
  EXPECT_EQ(1, set.take());
  EXPECT_FALSE(ring.has_news());
  EXPECT_EQ(1, set.take());
}

TEST_P(RingTest, RingsWhenWhatIsReadyIsPutIn) {
  Set set;
  set.control(EPOLL_CTL_DEL, 0);
  set.write();
  const unsigned bell = silent_bell(set);
  set.control(EPOLL_CTL_ADD, EPOLLIN);
  EXPECT_TRUE(ring.has_news());
  EXPECT_TRUE(ring.collect());
  EXPECT_FALSE(ring.is_silent(bell));
}

// It says that something came: who would take that for an event would report what is not there.
TEST_P(RingTest, RingsForWhatHasBeenReadSince) {
  for (int i = 0; i < 100; ++i) {
    Set set;
    ASSERT_LT(0, ring.arm(set.fd()));
    set.write();
    set.drain();
    EXPECT_TRUE(ring.has_news());
    ASSERT_TRUE(ring.collect());
    EXPECT_EQ(0, set.take());
    ring.disarm();
  }
}

TEST_P(RingTest, RingsWhenAOneshotIsArmedAgain) {
  Set set;
  set.control(EPOLL_CTL_MOD, EPOLLIN | EPOLLONESHOT);
  set.write();
  EXPECT_EQ(1, set.take());
  silent_bell(set);
  set.control(EPOLL_CTL_MOD, EPOLLIN | EPOLLONESHOT);
  EXPECT_TRUE(ring.has_news());
}

TEST_P(RingTest, RingsForAnEventInANestedSet) {
  Set inner, outer;
  epoll_event event = {EPOLLIN, {.fd = inner.fd()}};
  ASSERT_EQ(0, epoll_ctl(outer.fd(), EPOLL_CTL_ADD, inner.fd(), &event));
  silent_bell(outer);
  inner.write();
  EXPECT_TRUE(ring.has_news());
}

TEST_P(RingTest, HasOneBell) {
  Set set, more;
  silent_bell(set);
  EXPECT_EQ(-EBUSY, ring.arm(more.fd()));
}

TEST_P(RingTest, ArmsNothingThatIsClosed) {
  Set set;
  const int fd = set.leave();
  ::close(fd);
  EXPECT_EQ(-EBADF, ring.arm(fd));
  EXPECT_TRUE(ring.is_open());
}

TEST_P(RingTest, RingsNoMoreOnceDisarmed) {
  Set set, other;
  const unsigned bell = silent_bell(set);
  ring.disarm();
  set.write();
  EXPECT_FALSE(ring.has_news());
  const unsigned again = silent_bell(other);
  EXPECT_NE(bell, again) << "a name is used once";
  set.write();
  EXPECT_FALSE(ring.has_news());
}

// The set is closed by its end: a registration of its own in another set goes with it. Also with a ring unheard.
TEST_P(RingTest, HoldsNothingOnceDisarmed) {
  for (const bool rings : {false, true}) {
    Set inner, outer;
    silent_bell(inner);
    epoll_event event = {EPOLLIN, {.fd = inner.fd()}};
    ASSERT_EQ(0, epoll_ctl(outer.fd(), EPOLL_CTL_ADD, inner.fd(), &event));
    inner.write();
    if (!rings) ring.collect();
    ASSERT_EQ(1, outer.take());
    ::close(inner.leave());
    EXPECT_EQ(1, outer.take()) << "the bell holds it";
    ring.disarm();
    EXPECT_EQ(0, outer.take()) << rings;
  }
}

TEST_P(RingTest, IsMadeAndClosedManyTimes) {
  const std::set<int> before = unit::open_descriptors();
  for (int i = 0; i < 100; ++i) {
    Set set;
    ring.close();
    ASSERT_EQ(0, ring.open(GetParam()));
    silent_bell(set);
  }
  EXPECT_EQ(before, unit::open_descriptors());
}

TEST_P(RingTest, BelongsToItsThread) {
  Set set;
  bool collected = true;
  std::thread([&] { collected = ring.collect(); }).join();
  EXPECT_FALSE(collected);
  EXPECT_FALSE(ring.is_open()) << "given up, not waited for";
}

// Nor to a later one, which may have its stack and its thread pointer.
TEST_P(RingTest, IsNobodysOnceItsThreadHasEnded) {
  for (int i = 0; i < 4; ++i) {
    Ring of_thread;
    std::thread([&] {
      EXPECT_EQ(0, of_thread.open(GetParam()));
      EXPECT_TRUE(of_thread.is_mine());
    }).join();
    std::thread([&] { EXPECT_FALSE(of_thread.is_mine()); }).join();
    EXPECT_FALSE(of_thread.is_mine());
  }
  EXPECT_TRUE(ring.is_mine());
}

TEST_P(RingTest, IsNoneInAForkedChild) {
  Set set;
  const unsigned bell = silent_bell(set);
  const pid_t child = fork();
  if (child == 0) {
    ring.forget(/*in_use=*/false);
    _exit(ring.is_open() ? 1 : ring.open(GetParam()) != 0 ? 2 : ring.arm(set.fd()) < 0 ? 3 : 0);
  }
  int status;
  ASSERT_EQ(child, waitpid(child, &status, 0));
  EXPECT_EQ(0, status);
  EXPECT_TRUE(ring.is_silent(bell));
  set.write();
  EXPECT_TRUE(ring.has_news());
}

}  // namespace
}  // namespace kev::bell
