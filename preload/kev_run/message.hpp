// What kev-run says, a line at a time, and the statuses that it ends with when it does not become the program.
//
// Written straight to the descriptor: no buffer can be lost or doubled by the exec.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace kev::run {

inline constexpr int kRefused = 125;        // kev-run's own failure, or --strict
inline constexpr int kNotExecutable = 126;  // found, but cannot be run
inline constexpr int kNotFound = 127;

// "kev-run: " and the parts as one line on stderr, whatever control characters stand in them.
void say(std::initializer_list<std::string_view> parts);

// Everything to stdout; false if that cannot be written.
bool print(std::string_view text);

std::string error_text(int error);

}  // namespace kev::run
