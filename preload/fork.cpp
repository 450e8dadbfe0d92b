// fork, _Fork and daemon: the child drops what it inherited before anything else runs in it. And unshare, after which a
// thread's numbers are its own.
//
// vfork is a stub of its own (arch/<cpu>/vfork.S). Children made in other ways are noticed at their first call
// (process/generation.hpp); this is the fast path, after which no inherited descriptor of ours is open for long.
#include <sched.h>

#include "cancel/canceller.hpp"
#include "preload/shim.hpp"

namespace kev::preload {

namespace {

// errno is the program's: nothing that is done in the child touches it.
template <typename Fork>
pid_t forked(Fork own) {
  pid_t pid = own();
  if (pid == 0) {
    // Should it come from a child of vfork: this one has memory of its own, and that one's filter.
    bool filtered = process::in_filtered_vfork_child();
    kev_vfork_depth = 0;
    if (filtered) process::quiet.store(true, std::memory_order_relaxed);
    cancel::after_fork();
    check_process();
    if (filtered) before_filter();
  }
  return pid;
}

// What vfork does, by clone(): the child has this thread's words while the parent is stopped.
int cloned(decltype(Next::clone) own, int (*function)(void*), void* stack, int flags, void* argument, pid_t* parent_id,
           void* tls, pid_t* child_id) {
  bool borrows = (flags & (CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_SETTLS)) == (CLONE_VM | CLONE_VFORK);
  int depth = kev_vfork_depth;
  if (borrows) kev_vfork_depth = depth + 1;
  int pid = own(function, stack, flags, argument, parent_id, tls, child_id);
  if (borrows) kev_vfork_depth = depth;
  return pid;
}

}  // namespace

}  // namespace kev::preload

using namespace kev::preload;

extern "C" pid_t kev_fork(void) { return forked(real().fork); }
extern "C" pid_t kev___fork(void) { return forked(real().__fork); }

extern "C" pid_t kev__Fork(void) {
  const Next& libc = real();
  // glibc before 2.34 has no _Fork; fork does more, but nothing less.
  return forked(libc._Fork != nullptr ? libc._Fork : libc.fork);
}

// Returns in the child alone, which has done nothing yet but open /dev/null.
extern "C" int kev_daemon(int stay, int keep_output) {
  int result = real().daemon(stay, keep_output);
  if (result == 0) {
    kev::cancel::after_fork();
    check_process();
  }
  return result;
}

extern "C" int kev_unshare(int flags) {
  if ((flags & CLONE_FILES) != 0) before_own_table();
  return real().unshare(flags);
}

extern "C" int kev_clone(int (*function)(void*), void* stack, int flags, void* argument, pid_t* parent_id, void* tls,
                         pid_t* child_id) {
  return cloned(real().clone, function, stack, flags, argument, parent_id, tls, child_id);
}
extern "C" int kev___clone(int (*function)(void*), void* stack, int flags, void* argument, pid_t* parent_id, void* tls,
                           pid_t* child_id) {
  return cloned(real().__clone, function, stack, flags, argument, parent_id, tls, child_id);
}
