// The calls that wait for a record lock: fcntl(F_SETLKW), fcntl(F_OFD_SETLKW), lockf.
//
// The main thread holds a lock of an open file description, which conflicts with locks of the process as well as with
// locks of another description. A loss is a lock that is held and that nobody was told of.
#define _GNU_SOURCE 1
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int ofd_lock(int fd, int command, short type) {
  struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
  return fcntl(fd, command, &lock);
}

static bool lock_setup(struct trial *t) {
  scratch_path(t, "lock");
  t->fd[0] = open(t->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  t->fd[1] = open(t->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  return t->fd[0] >= 0 && t->fd[1] >= 0 && ofd_lock(t->fd[0], F_OFD_SETLK, F_WRLCK) == 0;
}

static void lock_succeed(struct trial *t) { ofd_lock(t->fd[0], F_OFD_SETLK, F_UNLCK); }
static bool lock_effect(struct trial *t) { return ofd_lock(t->fd[0], F_OFD_SETLK, F_WRLCK) != 0; }

static void call_setlkw(struct trial *t) { TRIAL_CALL(t, ofd_lock(t->fd[1], F_SETLKW, F_WRLCK)); }
static void call_ofd_setlkw(struct trial *t) { TRIAL_CALL(t, ofd_lock(t->fd[1], F_OFD_SETLKW, F_WRLCK)); }
static void call_lockf(struct trial *t) { TRIAL_CALL(t, lockf(t->fd[1], F_LOCK, 0)); }

#define LOST "the lock is held, and nobody knows that he has it"
#define LOCKING(name_, function, clause_)                                                                         \
  {.name = name_, .kind = KIND_REQUIRED, .clause = clause_, .flags = POINT_BLOCKS | POINT_EFFECT, .lost = LOST,   \
   .setup = lock_setup, .call = function, .succeed = lock_succeed, .effect = lock_effect}

const struct point points_lock[] = {
  LOCKING("fcntl-setlkw", call_setlkw, POSIX_2017),
  LOCKING("fcntl-ofd-setlkw", call_ofd_setlkw, POSIX_2024),
  LOCKING("lockf", call_lockf, POSIX_2017),
  {.name = NULL},
};

EMBED_SOURCE(points_lock_c);
