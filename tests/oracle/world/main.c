// oracle-world SHARED-FILE FOLDER: executes the sequences that the driver puts into the shared memory, each in a child of
// its own, until it is told to stop.
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/prctl.h>

#include "world.h"

int main(int argc, char** argv) {
  int status = exec_continues(argc, argv);
  if (status >= 0) return status;
  if (argc != 3) return 98;
  raw(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  have_own_network();
  attach(argv[1]);
  folder = argv[2];
  for (uint32_t served = 0;; ++served) {
    while (__atomic_load_n(&shared->go, __ATOMIC_ACQUIRE) == served) raw(SYS_futex, &shared->go, FUTEX_WAIT, served, 0);
    if (shared->quit) return 0;
    shared->status = in_child(shared->by_clone);
    __atomic_store_n(&shared->done, served + 1, __ATOMIC_RELEASE);
    raw(SYS_futex, &shared->done, FUTEX_WAKE, 1);
  }
}
