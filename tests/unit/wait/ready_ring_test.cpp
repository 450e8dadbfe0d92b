// The ready ring's rules, one thread at a time.
#include "wait/ready_ring.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <vector>

namespace kev::wait {
// Starts with the given counts instead of 0.
template <typename T>
struct Aged : std::atomic<T> {
  Aged(T) : std::atomic<T>(T(-3)) {}
  void store(T value, std::memory_order order) { std::atomic<T>::store(value == 0 && young ? T(-3) : value, order); }
  static inline bool young = true;
};

namespace {

class ReadyRingTest : public ::testing::Test {
 protected:
  ReadyRingTest() { ring.attach(slots, 4); }

  // Publishes the numbers from `first` on that fit, at most `count`; returns how many did.
  unsigned produce(int first, unsigned count) {
    unsigned done = 0;
    while (done < count) {
      auto room = ring.reserve();
      if (room.count == 0) break;
      unsigned n = room.count < count - done ? room.count : count - done;
      for (unsigned i = 0; i < n; ++i) room.data[i] = first + static_cast<int>(done + i);
      ring.publish(n);
      done += n;
    }
    return done;
  }

  std::vector<int> claim(unsigned max) {
    auto run = ring.claim(max);
    return {run.data, run.data + run.count};
  }

  std::vector<int> consume(unsigned max) {
    std::vector<int> taken = claim(max);
    if (!taken.empty()) ring.commit();
    return taken;
  }

  int slots[4] = {};
  ReadyRing<int> ring;
};

using Numbers = std::vector<int>;

TEST_F(ReadyRingTest, IsEmptyAtFirst) {
  EXPECT_EQ(4u, ring.capacity());
  EXPECT_EQ(0u, ring.index());
  EXPECT_TRUE(ring.empty_for(0));
  EXPECT_EQ(0u, ring.claim(4).count);
  EXPECT_EQ(4u, ring.reserve().count);
}

TEST_F(ReadyRingTest, HandsEventsOverInOrder) {
  EXPECT_EQ(3u, produce(1, 3));
  EXPECT_EQ((Numbers{1, 2, 3}), consume(4));
  EXPECT_EQ(Numbers{}, consume(4));
}

TEST_F(ReadyRingTest, KeepsWhatDoesNotFitWithItsProducer) {
  EXPECT_EQ(4u, produce(1, 6));
  EXPECT_EQ(0u, ring.reserve().count);
  EXPECT_EQ((Numbers{1, 2}), consume(2));
  EXPECT_EQ(2u, produce(5, 2));
  EXPECT_EQ((Numbers{3, 4}), consume(4));  // a run ends at the edge
  EXPECT_EQ((Numbers{5, 6}), consume(4));
}

TEST_F(ReadyRingTest, GivesClaimedSlotsToTheProducerOnlyWhenTheyAreCommitted) {
  produce(1, 4);
  EXPECT_EQ((Numbers{1, 2, 3, 4}), claim(4));
  EXPECT_EQ(0u, ring.reserve().count);
  ring.commit();
  EXPECT_EQ(4u, ring.reserve().count);
}

TEST_F(ReadyRingTest, GivesNothingToASecondConsumerWhileAClaimStands) {
  produce(1, 4);
  EXPECT_EQ((Numbers{1}), claim(1));
  EXPECT_EQ(Numbers{}, claim(4));
  ring.commit();
  EXPECT_EQ((Numbers{2, 3, 4}), claim(4));
}

TEST_F(ReadyRingTest, GivesUnclaimedEventsToTheNextClaimInOrder) {
  produce(1, 3);
  EXPECT_EQ((Numbers{1, 2}), claim(2));
  ring.unclaim();
  EXPECT_EQ((Numbers{1, 2, 3}), consume(4));
  ring.unclaim();
  EXPECT_EQ(Numbers{}, consume(4));
}

TEST_F(ReadyRingTest, TakesNothingForAMaximumOfZero) {
  produce(1, 1);
  EXPECT_EQ(0u, ring.claim(0).count);
  EXPECT_EQ((Numbers{1}), consume(1));
}

TEST_F(ReadyRingTest, IsEmptyOnlyForTheIndexThatWasLookedAt) {
  std::uint32_t seen = ring.index();
  EXPECT_TRUE(ring.empty_for(seen));
  produce(1, 1);
  EXPECT_FALSE(ring.empty_for(seen));
  EXPECT_FALSE(ring.empty_for(ring.index()));  // the event stands
  consume(1);
  EXPECT_FALSE(ring.empty_for(seen));
  EXPECT_TRUE(ring.empty_for(ring.index()));
}

TEST_F(ReadyRingTest, RewindsToOneRunOfAllSlots) {
  produce(1, 3);
  consume(3);
  EXPECT_EQ(1u, ring.reserve().count);
  ring.rewind();
  EXPECT_EQ(4u, ring.reserve().count);
  EXPECT_EQ(0u, ring.index());
}

TEST_F(ReadyRingTest, HoldsOneEventAtACapacityOfOne) {
  ring.attach(slots, 1);
  EXPECT_EQ(1u, produce(1, 2));
  EXPECT_EQ((Numbers{1}), consume(2));
  EXPECT_EQ(1u, produce(2, 1));
  EXPECT_EQ((Numbers{2}), consume(2));
}

TEST(ReadyRingCountsTest, WrapAround) {
  int slots[4];
  ReadyRing<int, Aged> ring;
  Aged<std::uint32_t>::young = true;
  ring.attach(slots, 4);
  Aged<std::uint32_t>::young = false;
  int next = 0, expected = 0;
  for (int round = 0; round < 8; ++round) {
    for (wait::Run<int> room; (room = ring.reserve()).count != 0;) {
      for (unsigned i = 0; i < room.count; ++i) room.data[i] = next++;
      ring.publish(room.count);
    }
    EXPECT_FALSE(ring.empty_for(ring.index()));
    for (wait::Run<const int> run; (run = ring.claim(3)).count != 0; ring.commit())
      for (unsigned i = 0; i < run.count; ++i) EXPECT_EQ(expected++, run.data[i]);
    EXPECT_TRUE(ring.empty_for(ring.index()));
  }
  EXPECT_EQ(32, next);
  EXPECT_EQ(next, expected);
}

TEST_F(ReadyRingTest, BehavesAsAQueueThatIsNeverFullerThanItsCapacity) {
  std::mt19937 random(20070331);
  std::deque<int> queue;
  std::vector<int> claimed;
  int next = 0;
  for (int step = 0; step < 100'000; ++step) {
    switch (random() % 4) {
      case 0: {
        unsigned wanted = static_cast<unsigned>(random() % 6),
                 fits = 4 - static_cast<unsigned>(queue.size() + claimed.size());
        ASSERT_EQ(wanted < fits ? wanted : fits, produce(next, wanted));
        for (unsigned i = 0; i < wanted && i < fits; ++i) queue.push_back(next++);
        break;
      }
      case 1: {
        std::vector<int> taken = claim(static_cast<unsigned>(random() % 5));
        if (!claimed.empty()) {
          ASSERT_EQ(Numbers{}, taken);
          break;
        }
        ASSERT_LE(taken.size(), queue.size());
        for (int number : taken) {
          ASSERT_EQ(queue.front(), number);
          queue.pop_front();
        }
        claimed = taken;
        break;
      }
      case 2:
        ring.commit();
        claimed.clear();
        break;
      default:
        ring.unclaim();
        queue.insert(queue.begin(), claimed.begin(), claimed.end());
        claimed.clear();
        break;
    }
    ASSERT_EQ(queue.empty() && claimed.empty(), ring.empty_for(ring.index()) && claimed.empty());
  }
}

}  // namespace
}  // namespace kev::wait
