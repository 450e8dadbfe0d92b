// The calls that make and end descriptors: open, openat, creat (on a FIFO, where they block), close.
//
// A loss is exact: the other end of the FIFO finds a peer that nobody knows of.
#define _GNU_SOURCE 1
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fifo_setup(struct trial *t) {
  scratch_path(t, "fifo");
  if (mkfifo(t->path, 0600) != 0 && errno != EEXIST) return false;
  t->number = lowest_free_descriptor();
  return true;
}

// Opens the other end without blocking: for reading, that always succeeds and lets a waiting writer go on; for writing
// it succeeds only with a reader there, so the main thread opens both ends and keeps them as one.
static void writer_succeed(struct trial *t) { t->fd[1] = open(t->path, O_RDWR | O_NONBLOCK | O_CLOEXEC); }
static void reader_succeed(struct trial *t) { t->fd[1] = open(t->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); }

// Finds a descriptor for the FIFO that is not the main thread's.
static bool fifo_effect(struct trial *t) {
  struct stat wanted, found;
  if (fstat(t->fd[1], &wanted) != 0) return false;
  for (int fd = t->number; fd < t->number + 4; fd++) {
    if (fd == t->fd[1] || fstat(fd, &found) != 0) continue;
    if (found.st_ino != wanted.st_ino || found.st_dev != wanted.st_dev) continue;
    if (!t->keep_leaks && !atomic_load(&t->returned)) close(fd);
    return true;
  }
  return false;
}

static void fifo_teardown(struct trial *t) {
  if (atomic_load(&t->returned) && t->value >= 0) close((int)t->value);
  unlink(t->path);
}

static void call_open(struct trial *t) { TRIAL_CALL(t, open(t->path, O_RDONLY | O_CLOEXEC)); }
static void call_openat(struct trial *t) { TRIAL_CALL(t, openat(AT_FDCWD, t->path, O_RDONLY | O_CLOEXEC)); }
static void call_creat(struct trial *t) { TRIAL_CALL(t, creat(t->path, 0600)); }

static bool close_setup(struct trial *t) {
  t->number = open("/dev/null", O_RDWR | O_CLOEXEC);
  return t->number >= 0;
}

static void call_close(struct trial *t) { TRIAL_CALL(t, close(t->number)); }
static bool close_effect(struct trial *t) { return fcntl(t->number, F_GETFD) == -1; }
static void close_teardown(struct trial *t) {
  if (fcntl(t->number, F_GETFD) != -1) close(t->number);
}

#define LOST "the file is open, and nobody has the descriptor"
#define OPENING (POINT_BLOCKS | POINT_EFFECT | POINT_DESCRIPTOR)

const struct point points_open[] = {
  {.name = "open", .kind = KIND_REQUIRED, .clause = POSIX_2017, .flags = OPENING, .lost = LOST, .setup = fifo_setup,
   .call = call_open, .succeed = writer_succeed, .effect = fifo_effect, .teardown = fifo_teardown},
  {.name = "openat", .kind = KIND_REQUIRED, .clause = POSIX_2017, .flags = OPENING, .lost = LOST, .setup = fifo_setup,
   .call = call_openat, .succeed = writer_succeed, .effect = fifo_effect, .teardown = fifo_teardown},
  {.name = "creat", .kind = KIND_REQUIRED, .clause = POSIX_2017, .flags = OPENING, .lost = LOST, .setup = fifo_setup,
   .call = call_creat, .succeed = reader_succeed, .effect = fifo_effect, .teardown = fifo_teardown},
  {.name = "close", .kind = KIND_REQUIRED, .clause = POSIX_2017, .flags = POINT_EFFECT | POINT_EINTR_DONE,
   .lost = "the descriptor was closed although the thread says that it was cancelled", .setup = close_setup,
   .call = call_close, .effect = close_effect, .teardown = close_teardown},
  {.name = NULL},
};

EMBED_SOURCE(points_open_c);
