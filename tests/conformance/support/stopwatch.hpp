// Time that has passed, for the cases that say "never early" (exact) and "not for ever" (generous).
#pragma once

#include <time.h>

#include <cstdint>

namespace conformance {

constexpr std::int64_t kMillisecond = 1'000'000;
constexpr std::int64_t kSecond = 1'000'000'000;

inline std::int64_t now_ns(clockid_t clock = CLOCK_MONOTONIC) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

class Stopwatch {
 public:
  std::int64_t elapsed() const { return now_ns() - start_; }
  // At least `ns` have passed, and not so many more that somebody must have slept in the wrong place.
  bool in_time(std::int64_t ns) const {
    const std::int64_t passed = elapsed();
    return passed >= ns && passed < ns + 5 * kSecond;
  }
  bool prompt() const { return in_time(0); }

 private:
  std::int64_t start_ = now_ns();
};

inline void sleep_ns(std::int64_t ns) {
  timespec left{ns / kSecond, ns % kSecond};
  while (::clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) != 0) {
  }
}

}  // namespace conformance
