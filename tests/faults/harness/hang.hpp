// What a program that does not come back was doing.
#pragma once

#include <sys/types.h>

#include <string>

#include "harness/object.hpp"

namespace faults {

// For each thread of `process`: its system call, and the addresses in the object that stand on its stack.
std::string describe_hang(pid_t process, const Object& object);

}  // namespace faults
