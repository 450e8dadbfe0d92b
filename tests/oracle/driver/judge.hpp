// The two worlds side by side: runs a sequence in both and judges what came of it.
#pragma once

#include <optional>

#include "world_process.hpp"

namespace oracle {

// Where two traces part.
struct Difference {
  uint32_t op;
  std::vector<int> native, kev;
  Trace native_trace, kev_trace;
};
std::optional<Difference> compare(const Trace& native, const Trace& kev);

enum class Verdict {
  same,
  different,  // and the native world agrees with itself
  once,       // different, and not again in kRepeats runs
  unsteady,   // the native world differs from itself
};

class Judge {
 public:
  Judge(const WorldOptions& native, const WorldOptions& kev) : native_(native), kev_(kev) {}

  // Runs `sequence` once. Empty: the same.
  std::optional<Difference> run(const Sequence& sequence);

  // Runs it, and again as often as it takes to tell what a difference is worth.
  Verdict judge(const Sequence& sequence, std::optional<Difference>& difference);

  // Whether one of a few runs differs: what shrinking goes by.
  bool differs(const Sequence& sequence);

 private:
  WorldProcess native_, kev_;
};

}  // namespace oracle
