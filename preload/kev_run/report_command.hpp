// kev-run --report: the statistics of a process that is running, or of a counters file.
#pragma once

#include "config/options.hpp"

namespace kev::run {

// Returns the exit status.
int report(const char* target, config::StatsFormat format);

}  // namespace kev::run
