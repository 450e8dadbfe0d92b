// One of the two (or three) things that are compared: a worker process, or a way to start a program.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

#include "case.hpp"
#include "options.hpp"

namespace kev::bench {

enum class Mode { native, kev, kev_stats };

class Side {
 public:
  virtual ~Side() = default;
  // Runs `calls` calls of the case. The time for all of them, in nanoseconds. Throws if a result was wrong.
  virtual double run(uint64_t calls) = 0;
};

// Starts what runs `which` in `mode`.
std::unique_ptr<Side> make_side(const Case& which, Mode mode, const Options& options);

}  // namespace kev::bench
