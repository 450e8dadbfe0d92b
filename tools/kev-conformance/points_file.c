// Calls on files and devices that do not block for long: fsync, fdatasync, msync, sync_file_range, fallocate,
// copy_file_range, getrandom, tcdrain. They are tried for a request that is pending on entry; those whose work can be
// seen afterwards also race.
#define _GNU_SOURCE 1
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

static bool file_setup(struct trial *t) {
  scratch_path(t, "data");
  t->fd[0] = open(t->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (t->fd[0] < 0 || write(t->fd[0], "0123456789abcdef", 16) != 16) return false;
  scratch_path(t, "copy");
  t->fd[1] = open(t->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  return t->fd[1] >= 0;
}

// The second file is made empty by setup; fallocate and copy_file_range make it longer.
static bool file_grew(struct trial *t) {
  struct stat status;
  return fstat(t->fd[1], &status) == 0 && status.st_size != 0;
}

static void call_fsync(struct trial *t) { TRIAL_CALL(t, fsync(t->fd[0])); }
static void call_fdatasync(struct trial *t) { TRIAL_CALL(t, fdatasync(t->fd[0])); }
static void call_sync_file_range(struct trial *t) {
  TRIAL_CALL(t, sync_file_range(t->fd[0], 0, 16, SYNC_FILE_RANGE_WRITE));
}
static void call_fallocate(struct trial *t) { TRIAL_CALL(t, fallocate(t->fd[1], 0, 0, 4096)); }
static void call_copy_file_range(struct trial *t) {
  off_t from = 0;
  TRIAL_CALL(t, copy_file_range(t->fd[0], &from, t->fd[1], NULL, 16, 0));
}

static bool map_setup(struct trial *t) {
  if (!file_setup(t)) return false;
  t->extra = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, t->fd[0], 0);
  if (t->extra == MAP_FAILED) t->extra = NULL;
  return t->extra != NULL;
}
static void call_msync(struct trial *t) { TRIAL_CALL(t, msync(t->extra, 4096, MS_SYNC)); }
static void map_teardown(struct trial *t) {
  if (t->extra != NULL) munmap(t->extra, 4096);
}

static void call_getrandom(struct trial *t) { TRIAL_CALL(t, getrandom(t->buffer, 32, 0)); }
static bool random_effect(struct trial *t) {
  char any = 0;
  for (int i = 0; i < 32; i++) any |= t->buffer[i];
  return any != 0;
}

static bool terminal_setup(struct trial *t) {
  t->fd[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (t->fd[0] < 0 || grantpt(t->fd[0]) != 0 || unlockpt(t->fd[0]) != 0) return false;
  const char *name = ptsname(t->fd[0]);
  t->fd[1] = name == NULL ? -1 : open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  return t->fd[1] >= 0;
}
static void call_tcdrain(struct trial *t) { TRIAL_CALL(t, tcdrain(t->fd[1])); }

#define LOST "the file was changed although the thread says that it was cancelled"

const struct point points_file[] = {
  {.name = "fsync", .kind = KIND_REQUIRED, .clause = POSIX_2017, .setup = file_setup, .call = call_fsync},
  {.name = "fdatasync", .kind = KIND_REQUIRED, .clause = POSIX_2017, .setup = file_setup, .call = call_fdatasync},
  {.name = "msync", .kind = KIND_REQUIRED, .clause = POSIX_2017, .setup = map_setup, .call = call_msync,
   .teardown = map_teardown},
  {.name = "sync_file_range", .kind = KIND_EXTRA, .clause = GLIBC_EXTRA, .setup = file_setup,
   .call = call_sync_file_range},
  {.name = "fallocate", .kind = KIND_EXTRA, .clause = GLIBC_EXTRA, .flags = POINT_EFFECT, .lost = LOST,
   .setup = file_setup, .call = call_fallocate, .effect = file_grew},
  {.name = "copy_file_range", .kind = KIND_EXTRA, .clause = GLIBC_EXTRA, .flags = POINT_EFFECT, .lost = LOST,
   .setup = file_setup, .call = call_copy_file_range, .effect = file_grew},
  {.name = "getrandom", .kind = KIND_EXTRA, .clause = GLIBC_EXTRA, .call = call_getrandom, .effect = random_effect},
  {.name = "tcdrain", .kind = KIND_REQUIRED, .clause = POSIX_2017, .setup = terminal_setup, .call = call_tcdrain},
  {.name = NULL},
};

EMBED_SOURCE(points_file_c);
