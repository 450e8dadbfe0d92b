// The counters file: made, mapped, and handed out slot by slot.
//
// Keeps no descriptor open. Called from the preload object's constructor and after fork; kev-run makes the file
// before the program starts (create_page) and maps files read-only (map_existing). Raw system calls only, no
// allocation. Does not live here: what is done when the process ends (at_exit.hpp), the report (report.hpp).
#pragma once

#include "stats/counters.hpp"

namespace kev::stats {

inline constexpr unsigned kPathBytes = 1024;

// Where a KEV_STATS value sends the counters.
struct Destination {
  char path[kPathBytes];
  bool on_stderr;  // the main process reports on stderr when it ends, and removes the file
};

// Understands the forms of KEV_STATS:
//   "" or "1"      kev-<pid>.stats in `runtime_dir` (/tmp if that is null or relative); reported on stderr. Processes
//                  that are exec'd under another pid have files and reports of their own.
//   "stderr:PATH"  the counters in PATH, reported on stderr. What kev-run passes on, so that there is one report.
//   any other      the counters in that path after expand_path(); reported by `kev-run --report`.
// False if the path is empty or too long.
bool resolve(const char* value, unsigned pid, const char* runtime_dir, Destination& out);

// Expands %p (process id) and %% of `pattern` into `out` (`size` bytes, terminated). False if it does not fit.
bool expand_path(const char* pattern, unsigned pid, char* out, unsigned size);

// Maps the counters file at `path` (created 0600 if missing, never through a symlink), claims a slot for the
// calling process and sets `slot`. An existing file of ours is joined; any other non-empty file is refused.
// Returns 0 or -errno (-EEXIST: a file that is not ours; -EPERM: one of another user). `created` tells whether the
// file was made by or for this process (kev-run's create_page runs under the pid of the program that it becomes):
// such a process calibrates.
int open_page(const char* path, const char* command, bool& created);

// Makes a fresh counters file for the calling process, in place of one of ours from an earlier run (which keeps
// serving the processes that have it mapped). Claims no slot and leaves nothing mapped. Returns 0 or -errno.
int create_page(const char* path, bool measure);

// In a forked child: claims a slot of its own in the inherited mapping. No system call but getpid/clock.
void claim_slot_after_fork(unsigned parent);

// Tells in the calling process's slot what the shim does here and, if not null, why or beside whom.
void set_state(State state, const char* note);

// Marks the calling process's slot as ended.
void mark_ended();

// Tells whether the calling process is the one that the file was made for.
bool is_main_process();

// The mapping of the calling process, or null.
const Header* header();
const Slot* slot_at(const Header* header, unsigned index);

// Maps an existing counters file read-only. Returns null and sets `error` to -errno (-EINVAL: not ours).
const Header* map_existing(const char* path, int& error);

// Measures the costs that the estimate needs and stores them in the header, unless they stand there already. A few
// dozen microseconds, several system calls: only without a seccomp filter.
void calibrate();
void calibrate(Header& header);

}  // namespace kev::stats
