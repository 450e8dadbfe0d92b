// One microbenchmark: its name, the limit that it has to meet, and how to make what it runs.
//
// A fixture is made in the worker process when its case is first asked for, and lives until the next case. It runs
// slices of n calls and checks every result: a call that answers fast and wrong is an error, not a figure.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "stopwatch.hpp"

namespace kev::bench {

// What the preloaded side may cost.
struct Limit {
  enum class Kind { none, ratio, extra } kind = Kind::none;
  double value = 0;  // of an extra: in the case's unit, nanoseconds or bytes
};
inline constexpr Limit kNoLimit = {};
inline constexpr Limit kThreePercent = {Limit::Kind::ratio, 1.03};
inline constexpr Limit kParity = {Limit::Kind::ratio, 1 / 0.97};
// At least so many times as fast.
constexpr Limit times(double factor) { return {Limit::Kind::ratio, 1 / factor}; }
inline constexpr Limit kThreeNanoseconds = {Limit::Kind::extra, 3};
inline constexpr Limit kHundredMicroseconds = {Limit::Kind::extra, 100'000};
inline constexpr Limit kHalfMillisecond = {Limit::Kind::extra, 500'000};
inline constexpr Limit kSixtyFourBytes = {Limit::Kind::extra, 64};

class Fixture {
 public:
  virtual ~Fixture() = default;
  virtual void run(uint64_t calls, Stopwatch& watch) = 0;
};

// Ends the slice with an error if a result is not what it must be.
inline void require(bool holds, const char* what) {
  if (!holds) [[unlikely]]
    throw std::runtime_error(what);
}

struct Case {
  // worker: run by the worker processes. spawn, spawn_kev_run: a program is started, by the parent itself.
  enum class Kind { worker, spawn, spawn_kev_run } kind;
  std::string name;
  Limit limit;
  Clock clock;
  std::function<std::unique_ptr<Fixture>()> make;
  uint64_t calls_per_slice = 0;  // 0: as many as take a slice

  // The fixture adds up bytes, which are the same each time.
  bool counts_bytes() const { return clock == Clock::none; }
};

class Cases {
 public:
  // `make()` returns the fixture.
  void add(std::string name, Limit limit, std::function<std::unique_ptr<Fixture>()> make,
           Clock clock = Clock::thread_cpu, uint64_t calls_per_slice = 0) {
    all_.push_back({Case::Kind::worker, std::move(name), limit, clock, std::move(make), calls_per_slice});
  }

  // `set_up()` returns a callable that makes and checks one call.
  template <typename SetUp>
  void add_call(std::string name, Limit limit, SetUp set_up, Clock clock = Clock::thread_cpu,
                uint64_t calls_per_slice = 0) {
    using Call = decltype(set_up());
    struct Loop final : Fixture {
      explicit Loop(Call made) : call(std::move(made)) {}
      void run(uint64_t calls, Stopwatch& watch) override {
        watch.start();
        for (; calls > 0; --calls) call();
        watch.stop();
      }
      Call call;
    };
    add(std::move(name), limit, [set_up] { return std::make_unique<Loop>(set_up()); }, clock, calls_per_slice);
  }

  void add_spawn(std::string name, Limit limit, Case::Kind kind) {
    all_.push_back({kind, std::move(name), limit, Clock::family_cpu, nullptr, 0});
  }

  const std::vector<Case>& all() const { return all_; }

 private:
  std::vector<Case> all_;
};

void add_poll_cases(Cases& cases);
void add_select_cases(Cases& cases);
void add_epoll_cases(Cases& cases);
void add_descriptor_cases(Cases& cases);
void add_cancel_cases(Cases& cases);
void add_thread_cases(Cases& cases);
void add_memory_cases(Cases& cases);
void add_process_cases(Cases& cases);
void add_native_post_cases(Cases& cases);
void add_native_socket_cases(Cases& cases);
void add_native_timer_cases(Cases& cases);
void add_ring_cases(Cases& cases);

}  // namespace kev::bench
