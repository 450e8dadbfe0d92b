// When a wait ends: never, at once, or at a point of a clock, in nanoseconds.
//
// A relative timeout becomes a point of CLOCK_MONOTONIC when the deadline is made, so that a wait of several
// steps ends when it should. Plain value; any context.
#pragma once

#include <cstdint>
#include <ctime>

#include "os/clock.hpp"

namespace kev::wait {

class Deadline {
 public:
  static constexpr int64_t kSecond = 1'000'000'000;

  static Deadline never() { return {Kind::never, CLOCK_MONOTONIC, 0}; }
  static Deadline now() { return {Kind::now, CLOCK_MONOTONIC, 0}; }

  // `ns` from now on CLOCK_MONOTONIC; 0 or less does not sleep. A point beyond the clock's range is never.
  static Deadline after(int64_t ns) {
    if (ns <= 0) return now();
    int64_t start = os::clock_ns(CLOCK_MONOTONIC);
    if (ns > INT64_MAX - start) return never();
    return {Kind::point, CLOCK_MONOTONIC, start + ns};
  }

  // The point `ns` of `clock` (CLOCK_MONOTONIC or CLOCK_REALTIME; the latter follows changes of the clock each
  // time it is looked at).
  static Deadline at(clockid_t clock, int64_t ns) { return {Kind::point, clock, ns}; }

  // `timeout` as ppoll takes it: null is never. Precondition: valid (timespec_valid).
  static Deadline from(const timespec* timeout) {
    if (timeout == nullptr) return never();
    if (timeout->tv_sec > INT64_MAX / kSecond - 1) return never();
    return after(timeout->tv_sec * kSecond + timeout->tv_nsec);
  }

  bool is_never() const { return kind_ == Kind::never; }
  bool is_now() const { return kind_ == Kind::now; }
  bool passed() const { return kind_ == Kind::now || (kind_ == Kind::point && left() == 0); }

  // Nanoseconds until the deadline, at least 0; INT64_MAX for never.
  int64_t left() const {
    if (kind_ == Kind::never) return INT64_MAX;
    if (kind_ == Kind::now) return 0;
    int64_t now = os::clock_ns(clock_);
    return ns_ > now ? ns_ - now : 0;
  }

  // The same as a timespec; false for never.
  bool remaining(timespec& out) const {
    if (kind_ == Kind::never) return false;
    int64_t ns = left();
    out = {static_cast<time_t>(ns / kSecond), static_cast<long>(ns % kSecond)};
    return true;
  }

  // This deadline, or `ns` from now if that is sooner.
  Deadline at_most(int64_t ns) const {
    if (left() <= ns) return *this;
    return after(ns);
  }

 private:
  enum class Kind : uint8_t { never, now, point };
  constexpr Deadline(Kind kind, clockid_t clock, int64_t ns) : ns_(ns), clock_(clock), kind_(kind) {}

  int64_t ns_;
  clockid_t clock_;
  Kind kind_;
};

inline bool timespec_valid(const timespec& t) {
  return t.tv_sec >= 0 && t.tv_nsec >= 0 && t.tv_nsec < Deadline::kSecond;
}

}  // namespace kev::wait
