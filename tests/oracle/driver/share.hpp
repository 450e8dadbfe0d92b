// How many of the waits the shim itself answered, by its own counters: an oracle that never meets the core shows nothing.
#pragma once

#include <cstdint>
#include <string>

#include "stats/counters.hpp"

namespace oracle {

class Share {
 public:
  Share();
  ~Share();
  const std::string& path() const { return path_; }

  void print();
  bool is_enough(int percent);  // of all waits

 private:
  void read();

  std::string path_;
  uint64_t waits_ = 0, by_core_ = 0, arrays_ = 0, in_memory_ = 0;
  uint64_t fallbacks_[kev::stats::kFallbacks] = {};
};

}  // namespace oracle
