// Prints results as they come: a table, or JSON lines.
#pragma once

#include "measure.hpp"

namespace kev::bench {

// Whether a result meets its limit: "ok", "ok?", "over?", "OVER"; empty without a limit.
const char* verdict(const Limit& limit, const Result& result);

void print_head(const Options& options);
void print(const Case& which, const Result& result, const Options& options);

}  // namespace kev::bench
