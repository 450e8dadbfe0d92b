// The writing calls on pipes and files: write, writev, pwrite, pwritev.
//
// The pipe holds one page and is full, so a byte more blocks until the page is read. A loss is a byte that went
// through although the thread says that it was cancelled.
#define _GNU_SOURCE 1
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static bool pipe_setup(struct trial *t) {
  char page[4096];
  memset(page, 'f', sizeof page);
  if (pipe2(t->fd, O_CLOEXEC) != 0) return false;
  if (fcntl(t->fd[1], F_SETPIPE_SZ, 4096) != 4096) {
    t->why = "a pipe of 4096 bytes cannot be had";
    return false;
  }
  return write(t->fd[1], page, sizeof page) == sizeof page;
}

static void pipe_succeed(struct trial *t) {
  char page[4096];
  t->saved = (int)read(t->fd[0], page, sizeof page);
}

static bool pipe_effect(struct trial *t) { return drain_finds(t->fd[0], 'X'); }

static void call_write(struct trial *t) { TRIAL_CALL(t, write(t->fd[1], "X", 1)); }

static void call_writev(struct trial *t) {
  struct iovec parts[2] = {{"X", 1}, {"X", 1}};
  TRIAL_CALL(t, writev(t->fd[1], parts, 2));
}

static bool file_setup(struct trial *t) {
  scratch_path(t, "data");
  t->fd[0] = open(t->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  return t->fd[0] >= 0;
}

static bool file_effect(struct trial *t) {
  struct stat status;
  return fstat(t->fd[0], &status) == 0 && status.st_size != 0;
}

static void call_pwrite(struct trial *t) { TRIAL_CALL(t, pwrite(t->fd[0], "X", 1, 4)); }

static void call_pwritev(struct trial *t) {
  struct iovec parts[2] = {{"X", 1}, {"X", 1}};
  TRIAL_CALL(t, pwritev(t->fd[0], parts, 2, 4));
}

#define LOST "the byte went into the pipe although the thread says that it was cancelled"
#define LOST_FILE "the file was written although the thread says that it was cancelled"

const struct point points_write[] = {
  {.name = "write", .kind = KIND_REQUIRED, .clause = POSIX_2017, .flags = POINT_BLOCKS | POINT_EFFECT, .lost = LOST,
   .setup = pipe_setup, .call = call_write, .succeed = pipe_succeed, .effect = pipe_effect},
  {.name = "writev", .kind = KIND_REQUIRED, .clause = POSIX_2017, .flags = POINT_BLOCKS | POINT_EFFECT, .lost = LOST,
   .setup = pipe_setup, .call = call_writev, .succeed = pipe_succeed, .effect = pipe_effect},
  {.name = "pwrite", .kind = KIND_REQUIRED, .clause = POSIX_2017, .flags = POINT_EFFECT, .lost = LOST_FILE,
   .setup = file_setup, .call = call_pwrite, .effect = file_effect},
  {.name = "pwritev", .kind = KIND_EXTRA, .clause = GLIBC_EXTRA, .flags = POINT_EFFECT, .lost = LOST_FILE,
   .setup = file_setup, .call = call_pwritev, .effect = file_effect},
  {.name = NULL},
};

EMBED_SOURCE(points_write_c);
