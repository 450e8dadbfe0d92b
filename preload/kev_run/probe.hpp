// What the kernel says of this process's restrictions, and what its seccomp filters let through.
#pragma once

#include <string>

namespace kev::run {

struct Restrictions {
  bool known = false;              // /proc/self/status could be read
  bool filtered = false;           // a seccomp filter is installed
  bool counted = false;            // `filters` is known (Linux 5.9)
  unsigned filters = 0;
  bool no_new_privileges = false;
};
Restrictions read_restrictions();

// Tries each of config/probed.hpp's calls in a child. Returns KEV_PROBED's value, or "" if no child could be made.
std::string probe_calls(unsigned filters);

}  // namespace kev::run
