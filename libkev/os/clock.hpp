// Clocks. Read through libc's function, which answers from the vdso without entering the kernel.
//
// The preload object sets `clock_function` to libc's own definition, since another interposer (libfaketime) may
// stand in front of it: what the core measures is real time.
// Async-signal-safe. Leaves errno alone: the clocks named here exist on every kernel that libkev runs on.
#pragma once

#include <cstdint>
#include <ctime>

namespace kev::os {

using ClockFunction = int (*)(clockid_t, timespec*);
inline constinit ClockFunction clock_function = ::clock_gettime;

inline timespec clock_now(clockid_t clock) {
  timespec now = {0, 0};
  clock_function(clock, &now);
  return now;
}

inline int64_t clock_ns(clockid_t clock) {
  timespec now = clock_now(clock);
  return now.tv_sec * INT64_C(1'000'000'000) + now.tv_nsec;
}

inline uint64_t monotonic_ns() { return static_cast<uint64_t>(clock_ns(CLOCK_MONOTONIC)); }

}  // namespace kev::os
