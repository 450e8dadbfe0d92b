// The native queue's ring between real threads: several producers, consumers who take turns and commit in any order.
#include "queue/event_ring.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "queue/lock.hpp"

namespace kev::queue {
namespace {

struct Value {
  std::uint64_t producer = 0, number = 0, again = 0;
};

class EventRingStressTest : public ::testing::TestWithParam<unsigned> {};

TEST_P(EventRingStressTest, LosesAndRepeatsNothing) {
  constexpr std::uint64_t kEach = 60'000;
  constexpr unsigned kProducers = 3, kConsumers = 2;
  using Ring = EventRing<Value>;
  std::vector<Ring::Slot> slots(GetParam());
  Ring ring;
  ring.attach(slots.data(), GetParam());
  Lock lock;
  std::atomic<std::uint64_t> taken{0};
  std::atomic<int> errors{0};
  std::vector<std::uint64_t> next(kProducers);
  std::vector<std::thread> threads;
  for (unsigned p = 0; p < kProducers; ++p)
    threads.emplace_back([&, p] {
      for (std::uint64_t n = 0; n < kEach; ++n)
        while (!ring.produce([&](Value& value, std::uint32_t) { value = {p, n, n}; })) std::this_thread::yield();
    });
  for (unsigned c = 0; c < kConsumers; ++c)
    threads.emplace_back([&] {
      while (taken < kProducers * kEach) {
        std::uint64_t from, to;
        {
          Locked locked(lock);
          from = to = ring.head();
          while (to - from < 5) {
            Value* value = ring.published(to);
            if (value == nullptr) break;
            if (value->number != value->again || value->number != next[value->producer]++) ++errors;
            ++to;
          }
          ring.claim_to(to);
        }
        for (std::uint64_t position = to; position-- > from;) ring.commit(position);
        taken += to - from;
        if (to == from) std::this_thread::yield();
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(0, errors);
  for (std::uint64_t count : next) EXPECT_EQ(kEach, count);
  EXPECT_EQ(0u, ring.ready());
}

INSTANTIATE_TEST_SUITE_P(Capacity, EventRingStressTest, ::testing::Values(2u, 64u));

}  // namespace
}  // namespace kev::queue
