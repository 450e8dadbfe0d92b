// Runs a helper program on libc alone, under the preload object, or under kev-run, and keeps what it did.
//
// A run's output goes to unlinked files, so that a daemon that outlives the program holds nothing up. Every run has a
// time limit; one that passes it is killed and has status kHung.
#pragma once

#include <string>
#include <vector>

#include "harness/report.hpp"

namespace preload_test {

enum class By { nothing, preload, kev_run };

inline constexpr int kHung = 1000;
inline constexpr int kSignalled = 256;  // added to the number of the signal that ended the program

struct Outcome {
  std::string out;
  std::string err;
  int status = -1;
  Report report;  // empty unless the run was counted
};

struct Command {
  std::vector<std::string> arguments;         // the first is the program's path
  std::vector<std::string> environment = {};  // NAME=value, added to the test's own
  std::string before = {};                    // entries of LD_PRELOAD in front of the object, and behind it
  std::string after = {};
  std::string engine = "epoll";  // also what is cheap enough for the kernel goes to the core: its exactness is the matter
  bool eager = false;    // arrays of any size, from the second call on
  bool counted = true;   // with statistics
  int seconds = 60;
};

Outcome run(const Command& command, By by);

// A helper program's path.
std::string program(const std::string& name);
std::string preload_object();
std::string kev_run();
bool exists(const std::string& path);

// The words of a shell-like line, for messages.
std::string line(const Command& command);

}  // namespace preload_test
