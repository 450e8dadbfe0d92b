// The program that is to be run: found as execvp finds it, and looked at as far as preloading cares.
//
// Follows #! lines to the executable that really runs. Does not live here: asking the loader (loader_check.hpp).
#pragma once

#include <string>

namespace kev::run {

struct Target {
  std::string path;       // what execve is given
  int error = 0;          // errno, if there is nothing that could be run
  std::string executable; // the ELF file that runs: the program, or its interpreter
  std::string loader;
  std::string sanitizer;  // a library that must precede ours
  std::string obstacle;   // why the object cannot be preloaded ("/bin/x is statically linked"); empty if it can
};

// `no_new_privileges`: set-id bits and file capabilities have no effect on this process's children.
Target find_target(const char* program, bool no_new_privileges);

}  // namespace kev::run
