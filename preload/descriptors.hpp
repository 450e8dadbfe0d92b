// What the calls that make and close descriptors share: noting the change, and giving way.
#pragma once

#include <cerrno>
#include <sys/resource.h>
#include <sys/socket.h>

#include "call/epoll.hpp"
#include "cancel/libc.hpp"
#include "os/thread.hpp"
#include "record/registry.hpp"
#include "preload/shim.hpp"
#include "process/fd_table.hpp"
#include "process/private_fds.hpp"
#include "process/vfork.hpp"

namespace kev::preload {

// In a child of vfork: drops its copies of ours, unless a filter is in the way, before which they were dropped. True if
// there were any. A handler that runs as vfork() returns is in the parent, where they are no copies: libc's number of the
// thread is the kernel's there.
inline bool drop_copies() {
  if (is_filtered()) return false;
  int thread = cancel::thread_number(pthread_self());  // 0: nobody can tell
  return thread != 0 && thread != os::thread_id() && process::discard_copies();
}

// A number of ours, which the program cannot know: for it, the descriptor is not open.
inline bool is_hidden(int fd) {
  if (!process::is_private(fd)) return false;
  return process::in_vfork_child() ? !is_filtered() && process::is_copy_of_private(fd) : process::is_still_private(fd);
}

// Our own descriptors move out of the program's way.
inline void leave_all_numbers() {
  if (process::in_vfork_child())
    drop_copies();
  else
    record::revoke_all();
}

// The program has closed `fd`: whoever holds the number looks again, and a bell lets go of what it was.
inline void went(int fd) {
  process::note_had(fd);
  process::fd_changed(fd);
  if (bell::is_armed(fd)) [[unlikely]]
    call::epoll_sets_went(fd, fd);
}

inline void range_went(unsigned first, unsigned last) {
  process::fd_range_changed(first, last);
  call::epoll_sets_went(first, last);
}

// The program was given `fd`: notes it, and moves our own descriptors out of the way when its numbers come near.
inline void came(int fd) {
  if (process::is_private(fd) && !process::in_vfork_child()) [[unlikely]]
    process::give_up_private(fd);
  went(fd);
  if (fd >= process::private_guard.load(std::memory_order_relaxed)) [[unlikely]] {
    if (!process::in_vfork_child()) process::program_uses(fd);
    leave_all_numbers();
  } else if (fd > process::highest_seen.load(std::memory_order_relaxed)) {
    process::program_has(fd);
  }
}

// An option of a socket was set. One moves the readiness of what stands and tells nobody who waits: urgent data that is to
// be read in line.
inline void option_was_set(int fd, int level, int option) {
  if (level == SOL_SOCKET && option == SO_OOBINLINE) process::fd_changed(fd);
}

// Whether giving back our own descriptors may help a call that met the descriptor limit.
inline bool gave_way(int error) {
  if (error != EMFILE || process::private_count.load(std::memory_order_relaxed) == 0) return false;
  if (process::in_vfork_child()) return drop_copies();
  record::revoke_for_a_while();
  return true;
}

// Makes a call that returns a new descriptor, once more without ours if there was no room.
template <typename Call>
int make(Call call) {
  // errno is thread-local, behind a function of libc's: not looked at unless it will be needed.
  int saved = process::private_count.load(std::memory_order_relaxed) != 0 ? errno : 0;
  int fd = call();
  if (fd < 0 && gave_way(errno)) {
    errno = saved;
    fd = call();
  }
  if (fd >= 0) came(fd);
  return fd;
}

// Makes a call that fills two descriptors in, or fails.
template <typename Call>
int make_pair(int* fds, Call call) {
  int saved = errno;
  int result = call();
  if (result < 0 && gave_way(errno)) {
    errno = saved;
    result = call();
  }
  if (result == 0) {
    came(fds[0]);
    came(fds[1]);
  }
  return result;
}

// The program may have changed a limit. poll refuses arrays larger than that of descriptors, and ours may not stand
// above it: mirrors begin anew, by the program's own calls.
inline int limit_changed(int resource, bool sets, int result) {
  if (resource == RLIMIT_NOFILE && sets && result == 0) record::revoke_all();
  return result;
}

// The program takes a number of its choice: if it is one of ours, we leave it.
inline void leave_number(int fd) {
  if (is_hidden(fd)) leave_all_numbers();
}

// The program asks for the lowest number from `minimum` on: ours are not among those that it finds taken. An int, as the
// kernel reads it: what stands above it in the register is whatever the caller left there.
inline void leave_numbers_from(int minimum) {
  if (minimum >= process::private_guard.load(std::memory_order_relaxed)) leave_all_numbers();
}

}  // namespace kev::preload
