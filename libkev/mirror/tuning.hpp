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
  // Who is looked at directly, and who is watched (place.hpp), in calls.
  unsigned watch_new_after = 16;   // a descriptor that came and is quiet
  unsigned watch_after = 128;      // one that was ready: about what watching it anew costs, in looks at it
  unsigned busy_within = 64;       // one that is ready again so soon is not watched any more
};
extern Tuning tuning;

// KEV_ENGINE=epoll: whatever can be watched is, and changes its place often.
inline constexpr Tuning kEager = {.choose_by_cost = false, .watch_new_after = 0, .watch_after = 3, .busy_within = 3};

inline constexpr unsigned kMaxHolders = 4;          // mirrors of the process that may hold one descriptor: each costs
                                                    // its wakers about 100 ns an event
inline constexpr unsigned kRingShare = 16;          // a harvest holds this part of the array
inline constexpr unsigned kMaxEntries = 1u << 17;   // larger arrays go to the kernel

}  // namespace kev::mirror
