// KEV_PROBED: which system calls kev-run saw a child of its own survive under the seccomp filter that the program
// inherits.
//
// Format: "<filters>:<name>,<name>,...", where <filters> is the Seccomp_filters line of /proc/self/status in
// decimal and each <name> one of kProbes, without spaces. Names stand for calls that were neither killed nor refused.
// The whole value counts for nothing once the number of filters differs: another filter has come since.
// Async-signal-safe.
#pragma once

namespace kev::config {

inline constexpr const char* kProbedVariable = "KEV_PROBED";

// Every call that the shim makes on its own behalf, as kev-run probes it and as the object asks for it. prctl
// comes first: with it the probing children make sure that they leave no core files.
inline constexpr const char* kProbes[] = {
    "prctl", "epoll_create1", "epoll_ctl", "epoll_pwait", "ppoll",    "fcntl",   "fstat",   "readlinkat",
    "mmap",  "munmap",        "madvise",   "eventfd2",    "openat",   "close",   "getpid",  "clock_gettime",
    "write", "pread64",       "pwrite64",  "ftruncate",   "fallocate", "geteuid", "prlimit64",
    "read",  "unlinkat",      "rt_sigprocmask", "rt_sigtimedwait", "sigaltstack", "nanosleep",
    "membarrier", "getppid", "gettid", "sched_yield", "tgkill", "rt_tgsigqueueinfo", "rt_sigaction", "pselect6",
    "clock_nanosleep",
};

// Tells whether `value` (KEV_PROBED's, may be null) vouches for `name` under `filters` filters.
bool probed(const char* value, unsigned filters, const char* name);

}  // namespace kev::config
