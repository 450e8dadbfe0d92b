// What the statistics do when the preload object starts and when its process ends.
//
// The two calls that the object needs: the rest of stats/ is behind them. Raw system calls only, no allocation.
#pragma once

#include "config/options.hpp"

namespace kev::stats {

// In the constructor, if the options name a KEV_STATS: opens the counters where `setting` sends them (page.hpp) and
// remembers what to do at exit. `runtime_dir` is XDG_RUNTIME_DIR's value or null. Returns 0 or -errno: nothing is
// counted then. With `may_calibrate` (no seccomp filter) the main process measures the costs, unless kev-run did.
int start(const char* setting, const char* runtime_dir, const char* command, bool may_calibrate);

// In the destructor of the object: marks the process as ended; the main process, if the report was to go to stderr,
// writes it there and removes the file. Not under a seccomp filter (`may_write` false), nor if stderr is not what
// it was at start (a daemon's descriptor 2 may be its database), nor while other processes still count: then the file
// stays, for `kev-run --report`. Never blocks for long and raises no SIGPIPE.
void finish(config::StatsFormat format, bool may_write);

}  // namespace kev::stats
