// One figure of /proc/self/status, by raw system calls (open, read, close: those that the loader itself makes).
//
// Async-signal-safe. About 20 us.
#pragma once

namespace kev::process {

// The number behind `field` ("FDSize:"); `absent` if /proc is not there or has no such line.
unsigned long status_number(const char* field, unsigned long absent = 0);

}  // namespace kev::process
