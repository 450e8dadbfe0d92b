// The mirror's figures: those that are options, and those that are not.
//
// Set once, before the first mirror is made.
#pragma once

#include <cstdint>

namespace kev::mirror {

struct Tuning {
  unsigned minimum = 16;           // KEV_MIRROR_MIN: entries
  unsigned promote_after = 2;      // KEV_PROMOTE_AFTER: calls
  int64_t verify_ns = 5'000'000;   // KEV_VERIFY_USEC
  bool choose_by_cost = true;      // KEV_ENGINE=auto: a mirror that costs more than it saves is given up
};
extern Tuning tuning;

inline constexpr unsigned kMaxHolders = 4;          // mirrors of the process that may hold one descriptor: each costs
                                                    // its wakers about 100 ns an event
inline constexpr unsigned kReadyShare = 4;          // harvests hold a quarter of the array: beyond, the kernel's own
                                                    // scan is cheaper
inline constexpr unsigned kReadySkip = 64;          // calls left to the kernel after such a harvest
inline constexpr unsigned kMaxEntries = 1u << 17;   // larger arrays go to the kernel

}  // namespace kev::mirror
