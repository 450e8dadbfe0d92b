// The helper programs of this folder.
#pragma once

#include <stdlib.h>

#include <string>

namespace faults {

inline std::string program(const std::string& name) {
  return std::string(::getenv("KEV_FAULT_PROGRAMS")) + "/kev-fault-" + name;
}

// KEV_FAULTS=all: what is sampled otherwise is done in full.
inline bool takes_all() {
  const char* value = ::getenv("KEV_FAULTS");
  return value != nullptr && std::string(value) == "all";
}

}  // namespace faults
