// The reading calls on pipes and files: read, readv, pread, preadv.
//
// A loss on a pipe is exact: the byte is no longer in the pipe and no thread was told of it.
#define _GNU_SOURCE 1
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

static bool pipe_setup(struct trial *t) { return pipe2(t->fd, O_CLOEXEC) == 0; }

static void pipe_succeed(struct trial *t) { t->saved = (int)write(t->fd[1], "x", 1); }

static bool pipe_effect(struct trial *t) {
  int left = -1;
  ioctl(t->fd[0], FIONREAD, &left);
  return left == 0;
}

static void call_read(struct trial *t) { TRIAL_CALL(t, read(t->fd[0], t->buffer, sizeof t->buffer)); }

static void call_readv(struct trial *t) {
  struct iovec parts[2] = {{t->buffer, 8}, {t->buffer + 8, 8}};
  TRIAL_CALL(t, readv(t->fd[0], parts, 2));
}

static bool file_setup(struct trial *t) {
  scratch_path(t, "data");
  t->fd[0] = open(t->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  return t->fd[0] >= 0 && write(t->fd[0], "0123456789abcdef", 16) == 16;
}

// pread consumes nothing; what it does is to fill the buffer.
static bool file_effect(struct trial *t) { return t->buffer[0] != 0; }

static void call_pread(struct trial *t) { TRIAL_CALL(t, pread(t->fd[0], t->buffer, 8, 4)); }

static void call_preadv(struct trial *t) {
  struct iovec parts[2] = {{t->buffer, 4}, {t->buffer + 8, 4}};
  TRIAL_CALL(t, preadv(t->fd[0], parts, 2, 4));
}

#define LOST "the byte was taken out of the pipe, and nobody has it"

const struct point points_read[] = {
  {.name = "read", .kind = KIND_REQUIRED, .clause = POSIX_2017, .flags = POINT_BLOCKS | POINT_EFFECT, .lost = LOST,
   .setup = pipe_setup, .call = call_read, .succeed = pipe_succeed, .effect = pipe_effect},
  {.name = "readv", .kind = KIND_REQUIRED, .clause = POSIX_2017, .flags = POINT_BLOCKS | POINT_EFFECT, .lost = LOST,
   .setup = pipe_setup, .call = call_readv, .succeed = pipe_succeed, .effect = pipe_effect},
  {.name = "pread", .kind = KIND_REQUIRED, .clause = POSIX_2017, .setup = file_setup, .call = call_pread,
   .effect = file_effect},
  {.name = "preadv", .kind = KIND_EXTRA, .clause = GLIBC_EXTRA, .setup = file_setup, .call = call_preadv,
   .effect = file_effect},
  {.name = NULL},
};

EMBED_SOURCE(points_read_c);
