// Counting one wait call, when counting is on.
//
// Two plain calls around the wait, not an object: a cancelled thread unwinds through the frame between them.
#pragma once

#include "os/clock.hpp"
#include "os/entries.hpp"
#include "stats/counters.hpp"

namespace kev::preload {

struct WaitStart {
  uint64_t since_ns = 0;  // 0: the call does not sleep
  unsigned entries = 0;
};

inline WaitStart count_start(bool may_sleep) {
  if (!stats::counting()) return {};
  return {may_sleep ? os::monotonic_ns() : 0, os::kernel_entries};
}

// `by_core`: the core answered, and its own entries count; otherwise the call itself was the one entry.
inline void count_end(stats::Call call, const WaitStart& start, bool by_core, unsigned long descriptors, int result) {
  using stats::Counter;
  if (!stats::counting()) return;
  stats::add(call, Counter::calls, 1);
  stats::add(call, Counter::descriptors, descriptors);
  unsigned entries = by_core ? os::kernel_entries - start.entries : 1;
  stats::add(call, Counter::entries, entries);
  if (entries == 0) stats::add(call, Counter::memory, 1);
  if (by_core) {
    stats::add(call, Counter::core, 1);
    stats::add(call, Counter::core_descriptors, descriptors);
  }
  if (result > 0) stats::add(call, Counter::events, static_cast<uint64_t>(result));
  if (result == 0) stats::add(call, Counter::empty, 1);
  if (start.since_ns != 0) stats::add(call, Counter::sleep_ns, os::monotonic_ns() - start.since_ns);
}

}  // namespace kev::preload
