// The wheel against a sorted list, with steps of every size.
#include "queue/timer_wheel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace kev::queue {
namespace {

TEST(TimerWheelTest, ExpiresEachWhenItIsDueAndNoneBefore) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 20; ++round) {
    TimerWheel wheel;
    std::vector<TimerNode> nodes(300);
    std::int64_t now = static_cast<std::int64_t>(random() % (1ull << (20 + round * 2)));
    wheel.rebase(now);
    auto somewhen = [&] { return now + static_cast<std::int64_t>(random() >> (2 + random() % 55)) / 2; };
    for (TimerNode& node : nodes) wheel.add(node, somewhen());
    for (int step = 0; step < 400; ++step) {
      TimerNode& changed = nodes[random() % nodes.size()];
      if (changed.armed) wheel.remove(changed);
      else wheel.add(changed, somewhen());
      std::int64_t earliest = INT64_MAX;
      for (TimerNode& node : nodes)
        if (node.armed) earliest = std::min(earliest, node.due);
      if (wheel.empty()) continue;
      ASSERT_LE(wheel.next(), std::max(earliest, now));
      now = random() % 3 == 0 ? std::max(now, wheel.next()) : now + static_cast<std::int64_t>(random() >> (20 + random() % 40));
      while (TimerNode* node = wheel.expire(now)) {
        ASSERT_LE(node->due, now);
        ASSERT_FALSE(node->armed);
      }
      for (TimerNode& node : nodes) ASSERT_TRUE(!node.armed || node.due > now);
    }
  }
}

TEST(TimerWheelTest, ComesToTheNextInFewLooks) {
  TimerWheel wheel;
  TimerNode node;
  std::int64_t now = 1'000'000'007;
  wheel.rebase(now);
  wheel.add(node, now + 3'600'000'000'000);
  int looks = 0;
  while (wheel.expire(now) == nullptr) {
    ASSERT_LT(now, wheel.next());
    now = wheel.next();
    ++looks;
  }
  EXPECT_EQ(1, looks) << "a short list is walked";
}

TEST(TimerWheelTest, FollowsAClockThatIsSet) {
  TimerWheel wheel;
  TimerNode node;
  wheel.rebase(1'000'000'000'000);
  wheel.add(node, 1'000'500'000'000);
  wheel.rebase(5'000'000);
  EXPECT_EQ(nullptr, wheel.expire(900'000'000'000));
  wheel.rebase(2'000'000'000'000);
  EXPECT_EQ(&node, wheel.expire(2'000'000'000'000));
  EXPECT_TRUE(wheel.empty());
}

}  // namespace
}  // namespace kev::queue
