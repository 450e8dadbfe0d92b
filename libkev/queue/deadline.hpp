// kev_deadline as the library takes it: checked, and as a wait::Deadline. Any context.
#pragma once

#include <kev/kev.h>

#include <cerrno>

#include "wait/deadline.hpp"

namespace kev::queue {

inline bool is_clock(int32_t clock) {
  return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME;
}

// 0 or -EINVAL. `flags`: those that may be set.
inline int check(const kev_deadline& deadline, uint32_t flags) {
  if (!is_clock(deadline.clock) || (deadline.flags & ~flags) != 0) return -EINVAL;
  return (deadline.flags & KEV_ABS) != 0 && deadline.ns < 0 ? -EINVAL : 0;
}

// From now, the clock that is not set stands for the one that is.
inline clockid_t clock_of(const kev_deadline& deadline) {
  return deadline.clock == CLOCK_REALTIME && (deadline.flags & KEV_ABS) == 0 ? CLOCK_MONOTONIC : deadline.clock;
}

// Precondition: checked. Null: never.
inline wait::Deadline deadline_of(const kev_deadline* deadline) {
  if (deadline == nullptr) return wait::Deadline::never();
  if ((deadline->flags & KEV_ABS) != 0) return wait::Deadline::at(deadline->clock, deadline->ns);
  if (clock_of(*deadline) == CLOCK_MONOTONIC) return wait::Deadline::after(deadline->ns);
  if (deadline->ns <= 0) return wait::Deadline::now();
  int64_t now = os::clock_ns(clock_of(*deadline));
  if (deadline->ns > INT64_MAX - now) return wait::Deadline::never();
  return wait::Deadline::at(clock_of(*deadline), now + deadline->ns);
}

}  // namespace kev::queue
