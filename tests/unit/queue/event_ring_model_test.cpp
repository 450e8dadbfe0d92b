// The native queue's ring in every interleaving of small cases, on a model of C++'s memory (support/interleave.hpp).
//
// Two producers and a consumer who claims, reads and commits in an order of his own. In every end state: no event is lost,
// delivered twice or half-written, and each producer's come in order. The same is then checked on atomic words that are
// broken on purpose, each of which must be found.
#include "queue/event_ring.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "support/interleave.hpp"

namespace kev::queue {
namespace broken_ring {

template <typename T>
struct Unordered : interleave::Atomic<T> {
  using Base = interleave::Atomic<T>;
  Unordered(T value) : Base(value) {}
  T load(std::memory_order) const { return Base::load(std::memory_order_relaxed); }
  void store(T value, std::memory_order) { Base::store(value, std::memory_order_relaxed); }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order, std::memory_order) {
    return Base::compare_exchange_strong(expected, desired, std::memory_order_relaxed, std::memory_order_relaxed);
  }
};

template <typename T>
struct TornExchange : interleave::Atomic<T> {
  using Base = interleave::Atomic<T>;
  TornExchange(T value) : Base(value) {}
  bool compare_exchange_strong(T& expected, T desired, std::memory_order, std::memory_order) {
    T seen = Base::load(std::memory_order_acquire);
    if (seen != expected) {
      expected = seen;
      return false;
    }
    Base::store(desired, std::memory_order_release);
    return true;
  }
};

}  // namespace broken_ring

namespace {

using interleave::Explorer;
using interleave::Plain;
using interleave::require;
using interleave::Result;

template <template <typename> class Atomic = interleave::Atomic>
class World {
 public:
  using Ring = EventRing<Plain, Atomic>;
  World() { ring_.attach(slots_, 2); }

  // The first producer posts 1 to `first`, the other 11 on.
  Result run(int first, int second, int looks) {
    return explorer_.run({[=, this] { produce(0, 1, first); }, [=, this] { produce(1, 11, second); },
                          [=, this] {
                            taken_.clear();
                            for (int i = 0; i < looks; ++i) consume();
                          }},
                         [this] { expect_all(); });
  }

 private:
  void produce(int which, int from, int count) {
    made_[which] = 0;
    for (int i = 0; i < count; ++i)
      if (ring_.produce([&](Plain& slot, std::uint32_t) { slot.set(from + made_[which]); })) ++made_[which];
  }
  // All that stands, committed from the last to the first.
  void consume() {
    std::uint64_t from = ring_.head(), to = from;
    while (to - from < 2) {
      Plain* slot = ring_.published(to);
      if (slot == nullptr) break;
      taken_.push_back(slot->get());
      ++to;
    }
    ring_.claim_to(to);
    while (to-- > from) ring_.commit(to);
  }
  void expect_all() {
    for (int i = 0; i < 3; ++i) consume();
    int next[2] = {1, 11};
    for (int number : taken_) {
      require(number == next[number / 10], "an event was lost, repeated or moved");
      ++next[number / 10];
    }
    require(next[0] == 1 + made_[0] && next[1] == 11 + made_[1], "an event was lost");
  }

  Explorer explorer_;
  typename Ring::Slot slots_[2];
  Ring ring_;
  int made_[2] = {0, 0};
  std::vector<int> taken_;
};

TEST(EventRingModelTest, HoldsInEveryInterleaving) {
  struct {
    int first, second, looks;
  } cases[] = {{1, 1, 1}, {2, 1, 2}, {3, 0, 2}};
  for (auto [first, second, looks] : cases) {
    Result result = World<>().run(first, second, looks);
    EXPECT_EQ("", result.violation) << result.trail;
    EXPECT_LT(100, result.states);
  }
}

TEST(EventRingModelTest, FindsWordsWithoutOrder) {
  Result result = World<broken_ring::Unordered>().run(2, 1, 2);
  EXPECT_NE("", result.violation);
}

TEST(EventRingModelTest, FindsAnExchangeInTwoSteps) {
  Result result = World<broken_ring::TornExchange>().run(1, 1, 1);
  EXPECT_NE("", result.violation);
}

}  // namespace
}  // namespace kev::queue
