// The environment that the program gets, and the KEV_* settings that kev-run finds in its own.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/options.hpp"

namespace kev::run {

// A copy of an environment that can be changed without touching what is not changed, order included.
class Environment {
 public:
  explicit Environment(char* const* envp);

  const std::string* find(std::string_view name) const;  // the whole "NAME=VALUE"; null if unset
  std::string get(std::string_view name) const;          // "" if unset
  bool has(std::string_view name) const { return find(name) != nullptr; }
  void set(std::string_view name, std::string_view value);
  void unset(std::string_view name);

  // For execve; valid until the next change.
  std::vector<char*> pointers();

 private:
  std::vector<std::string> entries_;
};

// What is wrong with the KEV_* variables, a line each.
struct Findings {
  std::vector<std::string> bad_values;     // "KEV_ENGINE=x is not one of ..."
  std::vector<std::string> unknown_names;  // "KEV_X is unknown; known are ..."
};
Findings check_settings(char* const* envp);

}  // namespace kev::run
