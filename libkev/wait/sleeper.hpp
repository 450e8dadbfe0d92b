// How a thread that sleeps at an engine lets others take the engine's descriptor away meanwhile.
//
// One word (record/thread_record.hpp): the stack pointer of the frame that holds the record, and in its lowest bits
// what the frame does. Only while it sleeps does it look at nothing that others would take:
//
//   awake --falls_asleep--> asleep --wakes_up--> awake         the owner
//                           asleep --> taking --> taken        any thread (record/registry.cpp)
//
// The sleep itself needs no protection: it is a poll, which takes nothing, of whatever has the number by then. And a
// frame that a handler's siglongjmp left in its sleep is asleep for good, so that what it held can be had.
#pragma once

#include <atomic>
#include <cstdint>

#include "os/thread.hpp"

namespace kev::wait {

inline constexpr uintptr_t kAwake = 0;
inline constexpr uintptr_t kAsleep = 1;
inline constexpr uintptr_t kTaking = 2;
inline constexpr uintptr_t kTaken = 3;  // to the end of the frame
inline constexpr uintptr_t kActivity = 3;

inline uintptr_t activity(uintptr_t holder) { return holder & kActivity; }
inline uintptr_t with_activity(uintptr_t holder, uintptr_t what) { return (holder & ~kActivity) | what; }

// False: what the frame would sleep in was taken.
inline bool falls_asleep(std::atomic<uintptr_t>& holder) {
  uintptr_t word = holder.load(std::memory_order_relaxed);
  return activity(word) == kAwake &&
         holder.compare_exchange_strong(word, with_activity(word, kAsleep), std::memory_order_release);
}

// False: it was taken meanwhile, and whoever did so is done. What never ends is a fork's copy: nobody is at work there.
inline bool wakes_up(std::atomic<uintptr_t>& holder) {
  constexpr int kPatience = 20'000;
  constexpr long kPauseNs = 50'000;
  uintptr_t word = holder.load(std::memory_order_acquire);
  for (int round = 0; round < kPatience;) {
    if (activity(word) == kTaking) {
      os::pause_ns(kPauseNs);
      word = holder.load(std::memory_order_acquire);
      ++round;
    } else if (activity(word) != kAsleep) {
      return false;
    } else if (holder.compare_exchange_weak(word, with_activity(word, kAwake), std::memory_order_acquire)) {
      return true;
    }
  }
  return false;
}

}  // namespace kev::wait
