// What an argument may be: drawn at random, and written in C.
#pragma once

#include <string>

#include "sequence.hpp"

namespace oracle {

// A value of `domain` that knows nothing of the sequence. Slots are chosen by the generator.
int draw(Domain domain, Random& random);

std::string text_of(Domain domain, int value);

}  // namespace oracle
