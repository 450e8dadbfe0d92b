// Timers of one clock, in user space: adding and removing one takes the same few instructions however many there are.
//
// A hierarchical wheel: level 0 has 64 slots of 16 us, each next level 64 of 64 times as much. A timer stands in the
// level of the highest digit in which its tick differs from the wheel's, and moves down as the wheel comes near: it
// expires when it is due to the nanosecond, never before. Timers within one tick expire in no order. One thread at a
// time. Nodes are the caller's; nothing is allocated.
#pragma once

#include <cstdint>

namespace kev::queue {

struct TimerNode {
  int64_t due = 0;
  TimerNode* previous = nullptr;
  TimerNode* next = nullptr;
  uint8_t level = 0, slot = 0;
  bool armed = false;
};

class TimerWheel {
 public:
  bool empty() const { return count_ == 0; }

  // Precondition: not armed; `due` >= 0. `now` is looked at if the wheel is empty.
  void add(TimerNode& node, int64_t due);
  // Precondition: armed.
  void remove(TimerNode& node);

  // When to look next: the earliest point at which one is due, or an earlier one. Precondition: not empty.
  int64_t next() const;

  // Takes out one that is due at `now`, the earliest slot first; null if there is none.
  TimerNode* expire(int64_t now);

  // The clock was set back to `now`, or the wheel is to begin there.
  void rebase(int64_t now);

 private:
  static constexpr unsigned kLevels = 9, kBits = 6, kSlots = 1u << kBits, kShift = 14;

  struct Slot {
    TimerNode* first = nullptr;
  };
  static uint64_t tick(int64_t ns) { return static_cast<uint64_t>(ns) >> kShift; }
  void insert(TimerNode& node);
  void unlink(TimerNode& node);
  bool first_slot(unsigned& level, unsigned& slot) const;
  uint64_t start_of(unsigned level, unsigned slot) const;

  uint64_t now_ = 0;  // in ticks
  uint32_t count_ = 0;
  uint64_t occupied_[kLevels] = {};
  Slot slots_[kLevels][kSlots];
};

}  // namespace kev::queue
