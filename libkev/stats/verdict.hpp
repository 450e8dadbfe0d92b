// What it was worth: one sentence, and the figure behind it.
//
// Lives here: the sums over processes and the estimate. Does not live here: the report around it. Any context.
#pragma once

#include "stats/writer.hpp"

namespace kev::stats {

// The figures of several processes.
struct Totals {
  uint64_t counters[kCalls][kCounters];
  uint64_t fallbacks[kFallbacks];
  uint64_t kernel_bytes;  // the most of one process
  unsigned processes;
  unsigned active;        // of these
  State state;            // of the first process that is not active
  char note[sizeof(Slot::note)];  // its note

  uint64_t sum(Counter counter) const;
  uint64_t get(Call call, Counter counter) const {
    return counters[static_cast<unsigned>(call)][static_cast<unsigned>(counter)];
  }
};
void add_slot(Totals& totals, const Slot& slot);

struct Estimate {
  bool known;        // the costs were calibrated
  int64_t saved_ns;  // CPU time; negative: lost
};
// What the calls that the core answered would have cost natively, less what the core's own system calls cost.
Estimate estimate(const Header& header, const Totals& totals);

const char* state_text(State state);

// Writes the verdict, without a line end.
void write_verdict(Writer& out, const Header& header, const Totals& totals);

}  // namespace kev::stats
