// The ready ring in every interleaving of small cases, on a model of C++'s memory (support/interleave.hpp).
//
// What holds in every end state: no event is lost or delivered twice, order is kept, nothing is overwritten or read
// half-written, and no waiter sleeps while an event stands. The same properties are then checked on rings and users
// that are broken on purpose: the explorer must find every one of them.
#include "wait/ready_ring.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "support/interleave.hpp"

namespace kev::wait {
// A broken ring is the ring on broken atomic words. Not in the unnamed namespace: gcc warns where a header's template
// has fields of such types.
namespace broken {

template <typename T>
struct Unordered : interleave::Atomic<T> {  // no order at all
  using Base = interleave::Atomic<T>;
  Unordered(T value) : Base(value) {}
  T load(std::memory_order) const { return Base::load(std::memory_order_relaxed); }
  void store(T value, std::memory_order) { Base::store(value, std::memory_order_relaxed); }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order, std::memory_order) {
    return Base::compare_exchange_strong(expected, desired, std::memory_order_relaxed, std::memory_order_relaxed);
  }
};

template <typename T>
struct UnacquiredLoads : interleave::Atomic<T> {
  using Base = interleave::Atomic<T>;
  UnacquiredLoads(T value) : Base(value) {}
  T load(std::memory_order) const { return Base::load(std::memory_order_relaxed); }
};

template <typename T>
struct TornExchange : interleave::Atomic<T> {  // the claim looks and stores in two steps
  using Base = interleave::Atomic<T>;
  TornExchange(T value) : Base(value) {}
  bool compare_exchange_strong(T& expected, T desired, std::memory_order, std::memory_order) {
    if (Base::load(std::memory_order_acquire) != expected) return false;
    Base::store(desired, std::memory_order_release);
    return true;
  }
};

template <typename T>
struct BlindExchange : interleave::Atomic<T> {  // the claim does not look at all
  using Base = interleave::Atomic<T>;
  BlindExchange(T value) : Base(value) {}
  bool compare_exchange_strong(T&, T desired, std::memory_order, std::memory_order) {
    Base::store(desired, std::memory_order_release);
    return true;
  }
};

}  // namespace broken

namespace {

using interleave::Explorer;
using interleave::Plain;
using interleave::Result;
using interleave::require;

using Numbers = std::vector<int>;

// How a user of the ring, or the ring itself, is broken.
enum class Flaw {
  none,
  publish_before_write,
  publish_beyond_room,
  commit_before_read,
  keep_claim,
  sleep_without_looking,
  look_at_another_index,
  forget_to_wake,
};

template <template <typename> class Atomic = interleave::Atomic>
class World {
 public:
  static constexpr unsigned kCapacity = 2;

  explicit World(Flaw flaw = Flaw::none) : flaw_(flaw) { ring.attach(slots, kCapacity); }

  // Publishes 1..`events` one by one; tries `tries` times where there is no room, and keeps the rest.
  void produce(int events, int tries = 3) {
    int next = 1;
    for (int left = tries; next <= events && left > 0; --left) {
      Run<Plain> room = ring.reserve();
      if (room.count == 0 && flaw_ != Flaw::publish_beyond_room) continue;
      if (flaw_ == Flaw::publish_before_write) ring.publish(1);
      room.data[0].set(next++);
      if (flaw_ != Flaw::publish_before_write) ring.publish(1);
      ++left;
      if (woken_ && flaw_ != Flaw::forget_to_wake) explorer.wake_all();
    }
    published = next - 1;
  }

  // Takes up to `max` events, once. How many there were.
  unsigned consume(Numbers& taken, unsigned max) {
    Run<const Plain> run = ring.claim(max);
    if (run.count == 0) return 0;
    if (flaw_ == Flaw::commit_before_read) ring.commit();
    for (unsigned i = 0; i < run.count; ++i) taken.push_back(run.data[i].get());
    if (flaw_ != Flaw::commit_before_read && flaw_ != Flaw::keep_claim) ring.commit();
    return run.count;
  }

  // Looks at up to `max` events and gives them back.
  void look(unsigned max) {
    Run<const Plain> run = ring.claim(max);
    if (run.count == 0) return;
    for (unsigned i = 0; i < run.count; ++i) require(run.data[i].get() > 0, "an event was claimed that is none");
    ring.unclaim();
  }

  // Takes `events` events, sleeping while there are none.
  void consume_all(Numbers& taken, int events) {
    while (static_cast<int>(taken.size()) < events) {
      std::uint32_t seen = ring.index();
      bool empty = ring.empty_for(seen);
      if (empty && flaw_ == Flaw::sleep_without_looking) explorer.sleep_if([] { return true; });
      if (empty && flaw_ == Flaw::look_at_another_index) {
        std::uint32_t later = ring.index();
        explorer.sleep_if([&] { return ring.index() == later; });
      }
      if (empty && flaw_ != Flaw::sleep_without_looking && flaw_ != Flaw::look_at_another_index)
        explorer.sleep_if([&] { return ring.empty_for(seen); });
      consume(taken, kCapacity);
    }
  }

  // At the end: what was taken, and then what stands in the ring, are the published events.
  void expect_all(const Numbers& first, const Numbers& second = {}) {
    bool in_order = true;
    for (const Numbers* taken : {&first, &second})
      for (std::size_t i = 1; i < taken->size(); ++i) in_order = in_order && (*taken)[i - 1] < (*taken)[i];
    require(in_order, "events were delivered out of order");
    Numbers all = first;
    all.insert(all.end(), second.begin(), second.end());
    std::size_t delivered = all.size();
    while (consume(all, kCapacity) != 0) {
    }
    std::vector<int> times(static_cast<std::size_t>(published) + 1);
    for (int number : all) {
      require(number >= 1 && number <= published, "an event was delivered that was not published");
      ++times[static_cast<std::size_t>(number)];
    }
    for (int number = 1; number <= published; ++number) {
      require(times[static_cast<std::size_t>(number)] != 0, "an event was lost");
      require(times[static_cast<std::size_t>(number)] == 1, "an event was delivered twice");
    }
    for (std::size_t i = delivered; i < all.size(); ++i)
      require(all[i] == static_cast<int>(i) + 1, "what stands in the ring is not what comes next");
  }

  // One producer, one consumer.
  Result one_consumer(int events, int tries) {
    return explorer.run({[=, this] { produce(events); },
                         [=, this] {
                           one.clear();
                           for (int i = 0; i < tries; ++i) consume(one, kCapacity);
                         }},
                        [this] { expect_all(one); });
  }

  // One producer, two consumers that take what they can; one of them gives back what it claimed first.
  Result two_consumers(int events, int tries) {
    return explorer.run({[=, this] { produce(events, 2); },
                         [=, this] {
                           one.clear();
                           for (int i = 0; i < tries; ++i) consume(one, 1);
                         },
                         [=, this] {
                           two.clear();
                           look(2);
                           consume(two, 2);
                         }},
                        [this] { expect_all(one, two); });
  }

  // One producer that wakes, one consumer that sleeps.
  Result sleeper(int events) {
    woken_ = true;
    return explorer.run({[=, this] { produce(events); },
                         [=, this] {
                           one.clear();
                           consume_all(one, events);
                         }},
                        [=, this] {
                           bool stands = !ring.empty_for(ring.index());
                           require(!explorer.is_asleep(1) || !stands, "a waiter sleeps while an event stands");
                           expect_all(one);
                         });
  }

  Explorer explorer;
  Plain slots[kCapacity];
  ReadyRing<Plain, Atomic> ring;
  Numbers one, two;
  int published = 0;

 private:
  Flaw flaw_;
  bool woken_ = false;
};

void expect_sound(const char* name, const Result& result, double interleavings) {
  EXPECT_EQ("", result.violation) << "after steps " << result.trail;
  EXPECT_LT(interleavings, result.interleavings);
  ::testing::Test::RecordProperty(name, std::to_string(result.interleavings));
  std::printf("[  STATES  ] %s: %.3g interleavings, %zu states\n", name, result.interleavings, result.states);
}

TEST(ReadyRingModelTest, KeepsEveryEventInOrderForOneConsumer) {
  for (int events : {1, 2, 3, 4}) {
    World<> world;
    expect_sound("one producer, one consumer", world.one_consumer(events, 4), 100);
  }
}

TEST(ReadyRingModelTest, GivesEveryEventToOneOfTwoCompetingConsumers) {
  for (int events : {1, 2, 3}) {
    World<> world;
    expect_sound("one producer, two consumers", world.two_consumers(events, 2), 10'000);
  }
}

TEST(ReadyRingModelTest, LetsNoWaiterSleepWhileAnEventStands) {
  for (int events : {1, 2, 3}) {
    World<> world;
    expect_sound("one producer, one sleeper", world.sleeper(events), 100);
  }
}

void expect_found(const Result& result) {
  EXPECT_NE("", result.violation) << result.interleavings << " interleavings were all right";
  if (!result.violation.empty()) std::printf("[  FOUND   ] %s\n", result.violation.c_str());
}

TEST(ReadyRingModelTest, FindsAnEventThatIsPublishedBeforeItIsWritten) {
  expect_found(World<>(Flaw::publish_before_write).one_consumer(2, 2));
}

TEST(ReadyRingModelTest, FindsAProducerThatDoesNotWaitForRoom) {
  expect_found(World<>(Flaw::publish_beyond_room).one_consumer(3, 2));
}

TEST(ReadyRingModelTest, FindsSlotsThatAreGivenBackBeforeTheyAreRead) {
  expect_found(World<>(Flaw::commit_before_read).one_consumer(3, 2));
}

TEST(ReadyRingModelTest, FindsAClaimThatIsNeverGivenBack) {
  expect_found(World<>(Flaw::keep_claim).one_consumer(3, 2));
}

TEST(ReadyRingModelTest, FindsAWaiterThatSleepsWithoutLooking) {
  expect_found(World<>(Flaw::sleep_without_looking).sleeper(2));
}

TEST(ReadyRingModelTest, FindsAWaiterThatSleepsForAnotherIndexThanItLookedAt) {
  expect_found(World<>(Flaw::look_at_another_index).sleeper(2));
}

TEST(ReadyRingModelTest, FindsAProducerThatDoesNotWake) {
  expect_found(World<>(Flaw::forget_to_wake).sleeper(2));
}

TEST(ReadyRingModelTest, FindsAClaimThatLooksAndStoresInTwoSteps) {
  expect_found(World<broken::TornExchange>().two_consumers(2, 1));
}

TEST(ReadyRingModelTest, FindsAClaimThatDoesNotCompare) {
  expect_found(World<broken::BlindExchange>().two_consumers(2, 1));
}

TEST(ReadyRingModelTest, FindsMissingMemoryOrders) {
  expect_found(World<broken::Unordered>().one_consumer(2, 2));
  expect_found(World<broken::UnacquiredLoads>().one_consumer(2, 2));
}

}  // namespace
}  // namespace kev::wait
