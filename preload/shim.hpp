// What every interposed call needs to know at once: whether it may go straight on to the definition behind.
//
// Before the constructor has run everything takes the slow way, which finds the definitions first. Afterwards the
// words below are only changed by a seccomp filter that the program installs (then towards native).
#pragma once

#include <cerrno>

#include "preload/exports.hpp"
#include "preload/next.hpp"
#include "process/quiet.hpp"
#include "process/vfork.hpp"

namespace kev::preload {

struct Shim {
  bool points[static_cast<unsigned>(Family::count_)] = {};  // by family: cancellation points are made here (point.hpp)
  unsigned long poll_slow_from = 0;  // poll arrays of this many entries and more take the slow way
  int select_slow_from = 0;          // the same for select's nfds
  bool epoll_direct = false;         // epoll calls need not be counted
  bool bells = false;                // epoll sets may get doorbells
  bool cancels = false;              // some are: a thread that is cancelled must be told
  bool libc_has_random = true;       // libc's getrandom() may answer from user memory
  bool mirrors = false;              // poll and select may be answered by the core
};
extern Shim shim;

// Whether no system call but the program's own may be made here.
inline bool is_filtered() { return process::is_quiet() || process::in_filtered_vfork_child(); }

// The definitions behind ours, also before the constructor.
inline const Next& real() {
  if (next.poll == nullptr) [[unlikely]]
    find_next();
  return next;
}

[[gnu::cold, gnu::noinline]] inline int fail(int error) {
  errno = error;
  return -1;
}

// Calls the definition behind ours of one symbol: behind<&Next::read>(fd, buffer, size). Apart, so that the common way
// needs no frame. What no object has, or not yet, does not exist.
template <auto Symbol, typename... Argument>
[[gnu::noinline, gnu::cold]] auto behind(Argument... arguments) {
  using Result = decltype((next.*Symbol)(arguments...));
  if (real().*Symbol == nullptr) find_late();
  if (next.*Symbol == nullptr) return static_cast<Result>(fail(ENOSYS));
  return (next.*Symbol)(arguments...);
}

// real(), for calls of libpthread and librt, which glibc before 2.34 may load later.
const Next& real_threads();

// Notices that this process was forked since the last look, however that was done.
void check_process();

// The process ends: the report, if statistics are on.
void before_exit();

// A seccomp filter is about to be installed: from now on only the program's own system calls.
void before_filter();

// The calling thread is about to get a descriptor table of its own, in which its numbers stand for other files than in
// the other threads': from now on no mirrors.
void before_own_table();

}  // namespace kev::preload
