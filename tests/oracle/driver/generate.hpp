// Sequences from seeds.
#pragma once

#include "sequence.hpp"

namespace oracle {

// The sequence of `seed`; the same on every machine.
Sequence generate(uint64_t seed);

}  // namespace oracle
