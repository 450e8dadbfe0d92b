// A registration: what is waited for, what it reported, and its place among what stands.
//
// Its memory stays an entry until the queue is destroyed, so that whoever holds a reference (a ring slot, a kernel
// event, a post in progress) can look whether it is still the registration that was meant: generations differ if not.
// Everything is changed under the queue's lock; atomic is what kev_post() reads without it.
#pragma once

#include <kev/kev.h>

#include <atomic>
#include <cstdint>

#include "queue/timer_wheel.hpp"

namespace kev::queue {

inline constexpr uint32_t kNone = ~0u;

// Which registration is meant.
struct Reference {
  uint32_t index = kNone;
  uint32_t generation = 0;
  constexpr uint64_t token() const { return uint64_t{generation} << 32 | index; }
  static constexpr Reference from(uint64_t token) {
    return {static_cast<uint32_t>(token), static_cast<uint32_t>(token >> 32)};
  }
};

// What every event looks at stands in its first cache line.
struct alignas(64) Entry {
  std::atomic<uint64_t> ident{0};
  std::atomic<uint32_t> source{0};      // 0: free, or on its way out
  std::atomic<uint32_t> generation{0};  // moves when it goes
  std::atomic<uint32_t> next{kNone};    // in its chain of the table
  std::atomic<uint32_t> flags{0};
  uint64_t udata = 0;
  uint32_t index = 0;
  uint32_t what = 0;
  uint32_t bits = 0;    // what stands and was not claimed
  uint32_t claims = 0;  // events of it that are claimed
  std::atomic<bool> enabled{true};
  bool queued = false;   // stands in the ring, or among those for whom it had no room
  bool pending = false;  // the latter
  bool spent = false;    // a oneshot whose event is claimed
  bool dying = false;    // deleted; owes KEV_E_DELETED
  bool polled = false;   // by the ring, and not in the watched set
  uint8_t reports = 0;   // of the watched set, while it may go to the ring; kStays: it may not
  uint32_t previous_pending = kNone, next_pending = kNone;

  static constexpr uint8_t kStays = 0xff;

  // USER with KEV_COALESCE: the low bits of the generation, and the sum of what was posted.
  static constexpr unsigned kSumBits = 40;
  static constexpr uint64_t kSumMask = (uint64_t{1} << kSumBits) - 1;
  static uint64_t sum_word(uint32_t generation, uint64_t sum) { return uint64_t{generation} << kSumBits | sum; }
  std::atomic<uint64_t> sum{0};
  std::atomic<uint32_t> next_posted{kNone};
  std::atomic<bool> posted{false};  // stands in the list of those

  // TIMER
  TimerNode timer;
  int64_t first = 0;
  uint8_t wheel = 0;  // its clock's
  bool has_first = false;
  bool is_absolute = false;
  int64_t period = 0;
  int64_t was_due = 0;
  uint64_t expirations = 0;

  // FUTEX
  uint32_t value = 0;
  uint32_t seen = 0;
  uint32_t futex_next = kNone;

  Reference reference() const { return {index, generation.load(std::memory_order_relaxed)}; }
  bool has(uint32_t flag) const { return (flags.load(std::memory_order_relaxed) & flag) != 0; }
  int fd() const { return static_cast<int>(ident.load(std::memory_order_relaxed)); }
};

inline Entry& entry_of(TimerNode& node) {
  return *reinterpret_cast<Entry*>(reinterpret_cast<char*>(&node) - __builtin_offsetof(Entry, timer));
}

}  // namespace kev::queue
