// The interface of 2006 over libkev, after its documentation.
#include <kev/ukevent.h>

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <thread>
#include <vector>

#include "support/signals.hpp"

namespace {

static_assert(sizeof(ukevent) == 40);
static_assert(offsetof(ukevent, type) == 8 && offsetof(ukevent, ret_flags) == 20 && offsetof(ukevent, ptr) == 32);

constexpr timespec kNow = {0, 0}, kLong = {10, 0}, kShort = {0, 2'000'000};

ukevent made(std::uint32_t type, std::uint64_t id, std::uint32_t event = 0, std::uint32_t flags = 0) {
  ukevent uk = {};
  uk.id.raw_u64 = id;
  uk.type = type;
  uk.event = event;
  uk.req_flags = flags;
  return uk;
}

class UkeventTest : public ::testing::Test {
 protected:
  static constexpr unsigned kPlaces = 4;

  void SetUp() override {
    ring = static_cast<kevent_ring*>(std::calloc(1, sizeof *ring + kPlaces * sizeof(ukevent)));
    fd = kevent_init(ring, kPlaces, 0);
    ASSERT_LE(0, fd);
    ASSERT_EQ(0, ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
  }
  void TearDown() override {
    EXPECT_EQ(0, kevent_close(fd));
    for (int one : pair) ::close(one);
    std::free(ring);
  }
  int ctl(unsigned cmd, ukevent& uk) { return kevent_ctl(fd, cmd, 1, &uk); }
  void expect_broken(unsigned cmd, ukevent uk, int error) {
    EXPECT_EQ(1, ctl(cmd, uk));
    EXPECT_EQ(KEVENT_RET_BROKEN | KEVENT_RET_DONE, uk.ret_flags);
    EXPECT_EQ(static_cast<unsigned>(error), uk.ret_data[1]);
  }
  void add(ukevent uk) { ASSERT_EQ(0, ctl(KEVENT_CTL_ADD, uk)) << uk.ret_data[1]; }
  void ready(ukevent uk) { ASSERT_EQ(0, ctl(KEVENT_CTL_READY, uk)) << uk.ret_data[1]; }
  std::vector<ukevent> get(timespec timeout = kNow) {
    std::vector<ukevent> events(8);
    int count = kevent_get_events(fd, 1, 8, timeout, events.data(), 0);
    EXPECT_LE(0, count);
    events.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return events;
  }
  void send() { ASSERT_EQ(1, ::write(pair[1], "x", 1)); }
  ukevent socket(std::uint32_t flags = 0) {
    ukevent uk = made(KEVENT_SOCKET, static_cast<unsigned>(pair[0]), KEVENT_SOCKET_RECV, flags);
    uk.ptr = this;
    return uk;
  }

  kevent_ring* ring = nullptr;
  int fd = -1, pair[2];
};

TEST_F(UkeventTest, ASocketIsReportedWhileItIsReadable) {
  add(socket());
  EXPECT_TRUE(get().empty());
  send();
  for (int i = 0; i < 2; ++i) {
    auto events = get();
    ASSERT_EQ(1u, events.size());
    EXPECT_EQ(KEVENT_SOCKET, events[0].type);
    EXPECT_EQ(static_cast<unsigned>(pair[0]), events[0].id.raw[0]);
    EXPECT_EQ(KEVENT_RET_DONE, events[0].ret_flags);
    EXPECT_EQ(static_cast<unsigned>(POLLIN), events[0].ret_data[0]);
    EXPECT_EQ(this, events[0].ptr);
  }
}

TEST_F(UkeventTest, OneshotIsRemovedWithItsEvent) {
  add(socket(KEVENT_REQ_ONESHOT));
  send();
  EXPECT_EQ(1u, get().size());
  EXPECT_TRUE(get().empty());
  expect_broken(KEVENT_CTL_REMOVE, socket(), ENOENT);
}

TEST_F(UkeventTest, AnEdgeIsReportedOnce) {
  add(socket(KEVENT_REQ_ET));
  send();
  EXPECT_EQ(1u, get().size());
  EXPECT_TRUE(get().empty());
  send();
  EXPECT_EQ(1u, get().size());
}

TEST_F(UkeventTest, WhatIsReadyAtOnceIsToldByAdd) {
  send();
  ukevent pairs[2] = {made(KEVENT_UNOTIFY, 1), socket(KEVENT_REQ_ONESHOT)};
  EXPECT_EQ(1, kevent_ctl(fd, KEVENT_CTL_ADD, 2, pairs));
  EXPECT_EQ(KEVENT_SOCKET, pairs[0].type) << "it is written to the front";
  EXPECT_EQ(KEVENT_RET_DONE, pairs[0].ret_flags);
  EXPECT_EQ(static_cast<unsigned>(POLLIN), pairs[0].ret_data[0]);
  EXPECT_TRUE(get().empty()) << "a oneshot has been told of";
  add(socket(KEVENT_REQ_ONESHOT | KEVENT_REQ_ALWAYS_QUEUE));
  EXPECT_EQ(1u, get().size());
}

TEST_F(UkeventTest, ADuplicateAndTheUnknownAreBroken) {
  add(socket());
  expect_broken(KEVENT_CTL_ADD, socket(), EEXIST);
  expect_broken(KEVENT_CTL_ADD, made(KEVENT_POLL, static_cast<unsigned>(pair[0]), POLLOUT), EEXIST);
  expect_broken(KEVENT_CTL_REMOVE, made(KEVENT_TIMER, 5), ENOENT);
  expect_broken(KEVENT_CTL_MODIFY, made(KEVENT_TIMER, 5), ENOENT);
  expect_broken(KEVENT_CTL_READY, made(KEVENT_UNOTIFY, 5), ENOENT);
  expect_broken(KEVENT_CTL_ADD, made(KEVENT_POLL, 0xffffffff, POLLIN), EBADF);
  for (unsigned type : {KEVENT_INODE, KEVENT_NAIO, KEVENT_AIO, KEVENT_POSIX_TIMER, 77u})
    expect_broken(KEVENT_CTL_ADD, made(type, 0), EOPNOTSUPP);
}

TEST_F(UkeventTest, ModifyChangesWhatIsWaitedFor) {
  add(made(KEVENT_POLL, static_cast<unsigned>(pair[0]), POLLIN));
  ukevent uk = made(KEVENT_POLL, static_cast<unsigned>(pair[0]), POLLOUT);
  EXPECT_EQ(0, ctl(KEVENT_CTL_MODIFY, uk));
  auto events = get();
  ASSERT_EQ(1u, events.size());
  EXPECT_EQ(static_cast<unsigned>(POLLOUT), events[0].ret_data[0]);
}

TEST_F(UkeventTest, ARemovedReadyEventIsNotReported) {
  add(made(KEVENT_UNOTIFY, 1));
  ready(made(KEVENT_UNOTIFY, 1));
  ukevent uk = made(KEVENT_UNOTIFY, 1);
  EXPECT_EQ(0, ctl(KEVENT_CTL_REMOVE, uk));
  EXPECT_TRUE(get().empty());
  EXPECT_EQ(0u, ring->ring_kidx);
}

TEST_F(UkeventTest, ReadyMarksAnyEventAndCountsOnce) {
  add(made(KEVENT_UNOTIFY, 1));
  add(made(KEVENT_UNOTIFY, 2, 0, KEVENT_REQ_ONESHOT));
  add(socket());
  ready(made(KEVENT_UNOTIFY, 1));
  ready(made(KEVENT_UNOTIFY, 1));
  ready(made(KEVENT_UNOTIFY, 2));
  ready(socket());
  auto events = get();
  ASSERT_EQ(3u, events.size());
  EXPECT_EQ(KEVENT_SOCKET, events[2].type);
  EXPECT_TRUE(get().empty());
  ready(made(KEVENT_UNOTIFY, 1));
  EXPECT_EQ(1u, get().size());
  expect_broken(KEVENT_CTL_READY, made(KEVENT_UNOTIFY, 2), ENOENT);
}

TEST_F(UkeventTest, ReadyWithoutEventsWakesAWaiter) {
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_EQ(0, kevent_ctl(fd, KEVENT_CTL_READY, 0, nullptr));
  });
  EXPECT_TRUE(get({-1, 0}).empty());
  other.join();
}

TEST_F(UkeventTest, ATimerIsPeriodicUnlessItIsAOneshot) {
  ukevent timer = made(KEVENT_TIMER, 0);
  timer.id.raw[1] = 1'000'000;
  add(timer);
  for (int i = 0; i < 2; ++i) {
    auto events = get(kLong);
    ASSERT_EQ(1u, events.size());
    EXPECT_LE(1u, events[0].ret_data[0]);
  }
  EXPECT_EQ(0, ctl(KEVENT_CTL_REMOVE, timer));
  timer.req_flags = KEVENT_REQ_ONESHOT;
  add(timer);
  EXPECT_EQ(1u, get(kLong).size());
  EXPECT_TRUE(get(kShort).empty());
}

TEST_F(UkeventTest, ASignalTellsItsSender) {
  conformance::Blocked blocked{SIGUSR1};
  add(made(KEVENT_SIGNAL, SIGUSR1));
  ::kill(::getpid(), SIGUSR1);
  auto events = get(kLong);
  ASSERT_EQ(1u, events.size());
  EXPECT_EQ(static_cast<unsigned>(::getpid()), events[0].ret_data[0]);
}

TEST_F(UkeventTest, ATimeoutIsFromNowOrAPoint) {
  auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(get(kShort).empty());
  EXPECT_LE(std::chrono::milliseconds(2), std::chrono::steady_clock::now() - start);
  ukevent buffer;
  EXPECT_EQ(0, kevent_get_events(fd, 1, 1, {1, 0}, &buffer, KEVENT_FLAGS_ABSTIME)) << "1970";
  EXPECT_EQ(-1, kevent_get_events(fd, 1, 1, {1, 0}, &buffer, 2));
  EXPECT_EQ(EINVAL, errno);
}

TEST_F(UkeventTest, EventsGoToTheRingAndAreCommitted) {
  for (unsigned i = 1; i <= 5; ++i) {
    add(made(KEVENT_UNOTIFY, i));
    ready(made(KEVENT_UNOTIFY, i));
  }
  EXPECT_EQ(2, kevent_wait(fd, 2, 0, kLong, 0));
  EXPECT_EQ(2u, ring->ring_kidx);
  EXPECT_EQ(1, kevent_wait(fd, 9, 0, kLong, 0)) << "of four places three are used";
  EXPECT_EQ(3u, ring->event[2].id.raw_u64);
  EXPECT_EQ(0, kevent_wait(fd, 9, 0, kShort, 0)) << "the ring is never overwritten";
  EXPECT_EQ(2, kevent_commit(fd, 2, 0));
  EXPECT_EQ(0, kevent_commit(fd, 2, 0)) << "another thread has done it";
  EXPECT_EQ(0, kevent_commit(fd, 1, 0)) << "and more";
  EXPECT_EQ(2, kevent_wait(fd, 9, 2, kLong, 0));
  EXPECT_EQ(1u, ring->ring_kidx);
  EXPECT_EQ(4u, ring->event[3].id.raw_u64);
  EXPECT_EQ(5u, ring->event[0].id.raw_u64);
}

TEST_F(UkeventTest, ACommitThatIsTooLateOverflows) {
  for (unsigned i = 1; i <= 4; ++i) add(made(KEVENT_UNOTIFY, i));
  unsigned uidx = 0, over = ring->ring_over;
  for (unsigned i = 1; i <= 4; ++i) {
    ready(made(KEVENT_UNOTIFY, i));
    ASSERT_EQ(1, kevent_wait(fd, 1, uidx, kLong, 0));
    ASSERT_EQ(1, kevent_commit(fd, uidx = (uidx + 1) % kPlaces, ring->ring_over));
  }
  EXPECT_EQ(over + 1, ring->ring_over);
  EXPECT_EQ(-1, kevent_commit(fd, 1, over));
  EXPECT_EQ(EOVERFLOW, errno);
  EXPECT_EQ(-1, kevent_commit(fd, kPlaces, over));
  EXPECT_EQ(EINVAL, errno);
}

TEST_F(UkeventTest, AWaitEndsWhenTheIndexIsNotTheCallers) {
  add(made(KEVENT_UNOTIFY, 1));
  ready(made(KEVENT_UNOTIFY, 1));
  ASSERT_EQ(1, kevent_wait(fd, 1, 0, kLong, 0));
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(1, kevent_commit(fd, 1, 0));
  });
  EXPECT_EQ(0, kevent_wait(fd, 1, 0, kLong, 0));
  other.join();
  EXPECT_EQ(0, kevent_wait(fd, 1, 0, kLong, 0)) << "at once";
}

TEST_F(UkeventTest, ACommitMakesRoomForAWaiter) {
  for (unsigned i = 1; i <= 4; ++i) {
    add(made(KEVENT_UNOTIFY, i));
    ready(made(KEVENT_UNOTIFY, i));
  }
  ASSERT_EQ(3, kevent_wait(fd, 9, 0, kLong, 0));
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(1, kevent_commit(fd, 1, 0));
  });
  EXPECT_EQ(1, kevent_wait(fd, 1, 0, kLong, 0));
  other.join();
}

TEST_F(UkeventTest, ItsDescriptorCanBePolled) {
  pollfd look = {fd, POLLIN, 0};
  add(socket());
  EXPECT_EQ(0, ::poll(&look, 1, 0));
  send();
  EXPECT_EQ(1, ::poll(&look, 1, 0));
}

TEST_F(UkeventTest, TwoThreadsShareTheEvents) {
  constexpr int kEvents = 200;
  std::atomic<int> seen{0};
  for (unsigned i = 0; i < kEvents; ++i) add(made(KEVENT_UNOTIFY, i, 0, KEVENT_REQ_ONESHOT));
  auto take = [&] {
    ukevent buffer[4];
    while (seen < kEvents) {
      int count = kevent_get_events(fd, 1, 4, kShort, buffer, 0);
      if (count > 0) seen += count;
    }
  };
  std::thread one(take), two(take);
  for (unsigned i = 0; i < kEvents; ++i) ready(made(KEVENT_UNOTIFY, i));
  one.join();
  two.join();
  EXPECT_EQ(kEvents, seen);
}

TEST(UkeventInitTest, ArgumentsAreChecked) {
  kevent_ring none = {};
  EXPECT_EQ(-1, kevent_init(&none, 1, 0));
  EXPECT_EQ(EINVAL, errno);
  EXPECT_EQ(-1, kevent_init(nullptr, 4, 0));
  EXPECT_EQ(-1, kevent_init(nullptr, 0, 1));
  EXPECT_EQ(-1, kevent_ctl(-1, KEVENT_CTL_ADD, 0, nullptr));
  EXPECT_EQ(EBADF, errno);
  EXPECT_EQ(-1, kevent_close(-1));
  int fd = kevent_init(nullptr, 0, 0);
  ASSERT_LE(0, fd);
  EXPECT_EQ(-1, kevent_wait(fd, 1, 0, kNow, 0));
  EXPECT_EQ(-1, kevent_commit(fd, 0, 0));
  EXPECT_EQ(-1, kevent_ctl(fd, 9, 0, nullptr));
  EXPECT_EQ(0, kevent_close(fd));
}

}  // namespace
