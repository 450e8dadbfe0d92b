// The C++ face of a queue: who owns what, deadlines, spans and errors.
#include <kev/kev.hpp>

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <chrono>

#include "support/descriptor.hpp"
#include "support/signals.hpp"

namespace {

using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<kev::Queue> && std::is_nothrow_move_constructible_v<kev::Queue>);
static_assert(!std::is_copy_constructible_v<kev::Claim> && std::is_nothrow_move_constructible_v<kev::Claim>);
static_assert(kev::Deadline().is_never() && kev::Deadline().get() == nullptr);

TEST(FaceQueueTest, MovesAndLeavesAnEmptyOneBehind) {
  kev::Queue first;
  ASSERT_FALSE(first.add_user(1));
  kev::Queue second = std::move(first);
  EXPECT_EQ(std::errc::invalid_argument, first.post(1));
  EXPECT_FALSE(second.post(1));
  first = std::move(second);
  EXPECT_FALSE(first.post(1));
}

TEST(FaceQueueTest, GivesItsDescriptorsBack) {
  int before = ::dup(0);
  ::close(before);
  { kev::Queue queue; }
  int after = ::dup(0);
  ::close(after);
  EXPECT_EQ(before, after);
}

TEST(FaceQueueTest, TellsWhyThereIsNone) {
  auto none = kev::Queue::create({0, 3});
  EXPECT_FALSE(none);
  EXPECT_EQ(std::errc::invalid_argument, none.error());
  EXPECT_THROW(kev::Queue({1u << 31, 0}), std::system_error);
  EXPECT_THROW((void)kev::Queue::create({0, 3}).value(), std::system_error);
}

TEST(FaceQueueTest, ReturnsTheRegistrationsErrors) {
  kev::Queue queue;
  EXPECT_EQ(std::errc::bad_file_descriptor, queue.add_fd(-1, KEV_IN));
  EXPECT_FALSE(queue.add_timer(1, 1h));
  EXPECT_EQ(std::errc::file_exists, queue.add_timer(1, 1h));
  EXPECT_FALSE(queue.remove(KEV_SOURCE_TIMER, 1));
  EXPECT_EQ(std::errc::no_such_file_or_directory, queue.remove(KEV_SOURCE_TIMER, 1));
}

TEST(FaceQueueTest, WaitsIntoASpan) {
  kev::Queue queue;
  std::array<kev_event, 4> events;
  auto none = queue.wait(events, 0s);
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->empty());
  ASSERT_FALSE(queue.add_user(5, 0, 7));
  const std::uint64_t data[3] = {1, 2, 3};
  ASSERT_FALSE(queue.post(5, -9, data));
  auto some = queue.wait(events);
  ASSERT_EQ(1u, some->size());
  EXPECT_EQ(events.data(), some->data());
  EXPECT_EQ(7u, events[0].udata);
  EXPECT_EQ(-9, events[0].result);
  EXPECT_EQ(3u, events[0].data[2]);
}

TEST(FaceQueueTest, SubmitsASpanOfChanges) {
  kev::Queue queue;
  std::array<kev_change, 2> changes{};
  for (auto& change : changes) {
    change.source = KEV_SOURCE_USER;
    change.op = KEV_ADD;
  }
  EXPECT_EQ(1u, queue.submit(changes).value());
  EXPECT_EQ(-EEXIST, changes[1].result);
}

TEST(FaceQueueTest, SleepsOnTheIndex) {
  kev::Queue queue;
  EXPECT_FALSE(queue.sleep(queue.index(), 1ms).value());
  std::uint64_t seen = queue.index();
  ASSERT_FALSE(queue.add_user(1));
  ASSERT_FALSE(queue.post(1));
  EXPECT_TRUE(queue.sleep(seen).value());
}

TEST(FaceQueueTest, GivesBackWhatAClaimDidNotCommit) {
  kev::Queue queue;
  ASSERT_FALSE(queue.add_user(1));
  for (int i = 1; i <= 3; ++i) ASSERT_FALSE(queue.post(1, i));
  {
    auto claim = queue.claim(8);
    ASSERT_TRUE(claim);
    EXPECT_EQ(3u, claim->size());
    kev::Claim moved = std::move(*claim);
    EXPECT_TRUE(claim->empty());
    moved.unclaim(1);
    EXPECT_TRUE(moved.empty());
  }
  {
    kev::Claim claim = queue.claim(1).value();
    EXPECT_EQ(2, claim.events()[0].result);
  }
  int sum = 0;
  for (kev::Claim claim; !(claim = queue.claim(8).value()).empty(); claim.commit())
    for (const kev_event& event : claim) sum += static_cast<int>(event.result);
  EXPECT_EQ(5, sum);
}

TEST(FaceQueueTest, HasTheDetailOfASignal) {
  conformance::Blocked blocked{SIGUSR1};
  kev::Queue queue;
  ASSERT_FALSE(queue.add_signal(SIGUSR1));
  ::kill(::getpid(), SIGUSR1);
  ASSERT_TRUE(queue.sleep(queue.index(), 10s).value());
  kev::Claim claim = queue.claim(1).value();
  EXPECT_EQ(SIGUSR1, claim.detail<siginfo_t>(0).value().si_signo);
  EXPECT_EQ(std::errc::invalid_argument, claim.detail<siginfo_t>(1).error());
  claim.commit();
}

TEST(FaceDeadlineTest, RoundsUpAndKeepsWithinItsRange) {
  EXPECT_EQ(1'500'000'000, kev::Deadline(1500ms).get()->ns);
  EXPECT_EQ(1, kev::Deadline(std::chrono::duration<double>(1e-12)).get()->ns);
  EXPECT_EQ(INT64_MAX, kev::Deadline(std::chrono::hours::max()).get()->ns);
  EXPECT_EQ(0, kev::Deadline(std::chrono::hours::min()).get()->ns);
  EXPECT_EQ(5u, kev::Deadline(1s).slack(5ns).get()->slack_ns);
}

TEST(FaceDeadlineTest, KnowsTheClockOfAPoint) {
  kev::Deadline steady = std::chrono::steady_clock::now(), wall = std::chrono::system_clock::now();
  EXPECT_EQ(CLOCK_MONOTONIC, steady.get()->clock);
  EXPECT_EQ(CLOCK_REALTIME, wall.get()->clock);
  EXPECT_EQ(KEV_ABS, wall.get()->flags);
  EXPECT_EQ(KEV_ABS | KEV_END_ON_CLOCK_SET, wall.end_on_clock_set().get()->flags);
  EXPECT_EQ(KEV_END_ON_CLOCK_SET, kev::Deadline().end_on_clock_set().get()->flags);
  kev::Queue queue;
  std::array<kev_event, 1> events;
  EXPECT_TRUE(queue.wait(events, steady)->empty());
  EXPECT_TRUE(queue.wait(events, wall)->empty());
}

}  // namespace
