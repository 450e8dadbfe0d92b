// kev-run's command line.
//
// The shim's options are config/options.def's rows; only what concerns kev-run alone is named here. Does not live
// here: the environment's side of the same options (environment.hpp).
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace kev::run {

struct CommandLine {
  bool help = false;
  bool version = false;
  bool strict = false;
  const char* report = nullptr;  // --report's PID or FILE
  std::vector<std::pair<std::string, std::string>> settings;  // environment name and value, as the flags say
  std::vector<std::string> complaints;                        // one line each, without "kev-run: "
  char** program = nullptr;                                   // the program's argv; *program is null if none is given
};

CommandLine parse_command_line(char** argv);

std::string help_text(bool with_tuning);
std::string version_text();

}  // namespace kev::run
