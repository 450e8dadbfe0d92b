// Counts the system calls that the core makes for a thread's waits, so that the statistics can tell entries from
// calls. Only the calls on a wait's path count; setting up does not.
#pragma once

namespace kev::os {

inline thread_local constinit unsigned kernel_entries = 0;

}  // namespace kev::os
