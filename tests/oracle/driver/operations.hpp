// The table of operations (op.def) as the driver sees it.
#pragma once

#include <array>

extern "C" {
#include "../op.h"
}

namespace oracle {

struct Operation {
  const char* name;
  std::array<Domain, ARGUMENTS> arguments;
};

inline constexpr Operation kOperations[] = {
#define OP(name, ...) {#name, {__VA_ARGS__}},
#include "../op.def"
#undef OP
};

}  // namespace oracle
