// Whether the program's own loader takes the preload object.
//
// ld.so ignores an object that it cannot load, and the program would run without the shim unnoticed; an object
// built for a newer libc would even keep it from starting.
#pragma once

#include "environment.hpp"
#include "target.hpp"

#include <string>

namespace kev::run {

// Lets the loader list, in a child, what it would load for the program with `environment`. Returns why the
// object is not among it, or "".
std::string loader_refusal(const Target& target, const Environment& environment, const std::string& object);

}  // namespace kev::run
