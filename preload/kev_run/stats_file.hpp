// The counters file of a run: chosen, made afresh, or joined where kev-run runs under another kev-run.
#pragma once

#include <string>

#include "environment.hpp"

namespace kev::run {

struct StatsFile {
  std::string value;    // KEV_STATS for the program
  std::string path;     // the file
  bool created = false; // by this call: to be removed if the program does not start
  std::string error;    // why there is none: a line without "kev-run: "
};

// `setting` is --stats's or KEV_STATS's value. `measure`: calibrate the costs now, before the program runs.
StatsFile prepare_stats_file(const std::string& setting, const Environment& environment, bool measure);

}  // namespace kev::run
