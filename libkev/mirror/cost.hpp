// What the kernel's own poll and the core's system calls cost on this machine, and which of the two is cheaper.
//
// Measured once in a process, when its first mirror is made: about 40 system calls on a descriptor of ours.
#pragma once

#include <cstdint>

namespace kev::mirror {

struct Costs {
  int64_t poll_ns;        // poll() of no entries
  int64_t entry_ps;       // for each entry
  int64_t core_entry_ns;  // one of the core's own system calls
};

// By polling `fd`. Any thread; does nothing after the first time, and without a descriptor (-1).
void measure_costs(int fd);
Costs costs();

}  // namespace kev::mirror
