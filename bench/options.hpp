// The command line.
#pragma once

#include <string>

namespace kev::bench {

struct Options {
  std::string object;   // the preload object
  std::string kev_run;  // beside it
  std::string filter;   // regular expression; empty: all cases
  int cpu = -1;         // -1: the highest that may be used
  unsigned rounds = 60;
  unsigned processes = 6;  // how many pairs of workers share the rounds
  unsigned slice_ms = 10;
  bool stats = false;
  bool same = false;  // native against native
  bool list = false;
  bool json = false;
  bool worker = false;  // this process is one of the workers
};

// Exits on --help and on a mistake.
Options parse(int argc, char** argv);

// The path of this executable.
std::string own_path();

}  // namespace kev::bench
