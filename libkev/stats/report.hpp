// The statistics as text or JSON.
//
// Shared by the preload object (at exit) and by `kev-run --report`: writes into a caller's sink in pieces, no
// allocation, no stdio, no floating-point formatting from libc.
#pragma once

#include "config/options.hpp"
#include "stats/counters.hpp"

namespace kev::stats {

using Sink = void (*)(void* context, const char* text, unsigned length);

// Writes the report of all processes in `header`'s file (or of `pid` alone, if not 0) and the verdict.
void write_report(const Header* header, unsigned pid, config::StatsFormat format, Sink sink, void* context);

}  // namespace kev::stats
