// The worker process: reads the name of a case from stdin and says whether the object is loaded in it (1 or 0), then
// reads numbers of calls and answers each with the nanoseconds that they took, or with a line of text on an error.
#pragma once

#include "case.hpp"

namespace kev::bench {

int work(const Cases& cases);

// Whether the object is loaded in this process.
bool is_preloaded();

}  // namespace kev::bench
