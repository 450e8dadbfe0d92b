// A sequence as a C program, to be kept in tests/oracle/found.
#pragma once

#include <string>

#include "judge.hpp"

namespace oracle {

std::string program(const Sequence& sequence, const Difference& difference, const std::string& origin);

}  // namespace oracle
