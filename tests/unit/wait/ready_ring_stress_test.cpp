// The ready ring between real threads, for about a second: what the model test shows of small cases, on real memory
// and under ThreadSanitizer.
#include "wait/ready_ring.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "support/stopwatch.hpp"

namespace kev::wait {
namespace {

struct Event {
  std::uint64_t number;
  std::uint64_t again;  // the same: shows an event that was taken half-written
};

constexpr std::int64_t kDuration = 250 * conformance::kMillisecond;

class Stress {
 public:
  explicit Stress(unsigned capacity) : slots_(capacity) { ring.attach(slots_.data(), capacity); }

  // Publishes in runs of changing length until the time is up; returns how many.
  std::uint64_t produce() {
    std::uint64_t next = 0;
    for (conformance::Stopwatch watch; watch.elapsed() < kDuration || (next < 200 && watch.elapsed() < 20 * kDuration);) {
      for (int burst = 0; burst < 256; ++burst) {
        wait::Run<Event> room = ring.reserve();
        if (room.count == 0) {
          std::this_thread::yield();
          continue;
        }
        unsigned count = static_cast<unsigned>(next % room.count) + 1;
        for (unsigned i = 0; i < count; ++i) room.data[i] = {next + i, next + i};
        ring.publish(count);
        next += count;
      }
    }
    finished.store(true, std::memory_order_release);
    return next;
  }

  // Takes until the producer has finished and nothing is left, every fourth time giving back what it claimed. The
  // numbers must grow; returns their count.
  std::uint64_t consume(unsigned max) {
    std::uint64_t taken = 0, last = 0;
    for (unsigned round = 0;; ++round) {
      bool over = finished.load(std::memory_order_acquire);
      wait::Run<const Event> run = ring.claim(max);
      if (run.count == 0) {
        if (over && ring.empty_for(ring.index())) return taken;
        std::this_thread::yield();
        continue;
      }
      bool keep = round % 4 != 0;
      for (unsigned i = 0; i < run.count; ++i) {
        Event event = run.data[i];
        if (event.number != event.again || (event.number + 1 <= last)) errors.fetch_add(1);
        if (keep) last = event.number + 1;
      }
      if (!keep) {
        ring.unclaim();
        continue;
      }
      taken += run.count;
      ring.commit();
    }
  }

  ReadyRing<Event> ring;
  std::atomic<bool> finished{false};
  std::atomic<int> errors{0};

 private:
  std::vector<Event> slots_;
};

class ReadyRingStressTest : public ::testing::TestWithParam<unsigned> {};

TEST_P(ReadyRingStressTest, LosesNothingForOneConsumer) {
  Stress stress(GetParam());
  std::uint64_t made = 0;
  std::thread producer([&] { made = stress.produce(); });
  std::uint64_t taken = stress.consume(3);
  producer.join();
  EXPECT_EQ(made, taken);
  EXPECT_EQ(0, stress.errors);
  EXPECT_LT(100u, made);
}

TEST_P(ReadyRingStressTest, LosesNothingForCompetingConsumers) {
  Stress stress(GetParam());
  std::uint64_t made = 0;
  std::atomic<std::uint64_t> taken{0};
  std::vector<std::thread> threads;
  threads.emplace_back([&] { made = stress.produce(); });
  for (unsigned max : {1u, 2u, 5u}) threads.emplace_back([&, max] { taken += stress.consume(max); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(made, taken);
  EXPECT_EQ(0, stress.errors);
  EXPECT_LT(100u, made);
}

INSTANTIATE_TEST_SUITE_P(Capacity, ReadyRingStressTest, ::testing::Values(2u, 64u));

}  // namespace
}  // namespace kev::wait
