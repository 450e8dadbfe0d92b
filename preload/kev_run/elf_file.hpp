// What an executable file is, as far as preloading cares.
//
// Reads the file's headers and nothing else. Does not live here: whether that is an obstacle (target.hpp).
#pragma once

#include <string>

namespace kev::run {

enum class Format {
  unreadable,   // execute permission without read permission, or gone
  script,       // #!
  elf,          // for this machine and word size
  foreign_elf,  // ELF for another
  unknown,
};

struct ElfFile {
  Format format = Format::unknown;
  int error = 0;                // errno, when unreadable
  bool is_go = false;           // built by the Go tool chain
  std::string loader;           // PT_INTERP; empty: statically linked
  std::string sanitizer;        // DT_NEEDED libasan.so*, which insists on being loaded first
  std::string foreign;          // "32-bit", "for another kind of processor"
  std::string first_line;       // of a script, without "#!"
};

ElfFile read_executable(const std::string& path);

}  // namespace kev::run
