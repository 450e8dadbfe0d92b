// Measures one case: slices of the sides in turn, and what comes of the pairs.
#pragma once

#include "case.hpp"
#include "options.hpp"
#include "statistics.hpp"

namespace kev::bench {

struct Result {
  uint64_t calls_per_slice = 0;
  double native_ns = 0, kev_ns = 0, stats_ns = 0;  // medians, per call
  Estimate ratio;                                  // kev / native
  Estimate difference_ns;                          // kev - native
  Estimate stats_difference_ns;                    // kev with statistics - kev
};

// Throws if a side's result is wrong.
Result measure(const Case& which, const Options& options);

}  // namespace kev::bench
