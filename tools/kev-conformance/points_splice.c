// The calls that move bytes between pipes: splice, tee, vmsplice.
//
// fd[0] and fd[1] are the pipe that is read, fd[2] and fd[3] the pipe that is written.
#define _GNU_SOURCE 1
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static bool pipes_setup(struct trial *t) { return pipe2(t->fd, O_CLOEXEC) == 0 && pipe2(t->fd + 2, O_CLOEXEC) == 0; }
static void pipes_succeed(struct trial *t) { t->saved = (int)write(t->fd[1], "X", 1); }
static bool pipes_effect(struct trial *t) { return drain_finds(t->fd[2], 'X'); }

static void call_splice(struct trial *t) { TRIAL_CALL(t, splice(t->fd[0], NULL, t->fd[3], NULL, 1, 0)); }
static void call_tee(struct trial *t) { TRIAL_CALL(t, tee(t->fd[0], t->fd[3], 1, 0)); }

static bool full_setup(struct trial *t) {
  char page[4096];
  memset(page, 'f', sizeof page);
  if (pipe2(t->fd, O_CLOEXEC) != 0) return false;
  if (fcntl(t->fd[1], F_SETPIPE_SZ, 4096) != 4096) {
    t->why = "a pipe of 4096 bytes cannot be had";
    return false;
  }
  return write(t->fd[1], page, sizeof page) == sizeof page;
}
static void full_succeed(struct trial *t) {
  char page[4096];
  t->saved = (int)read(t->fd[0], page, sizeof page);
}
static bool full_effect(struct trial *t) { return drain_finds(t->fd[0], 'X'); }

static void call_vmsplice(struct trial *t) {
  struct iovec part = {"X", 1};
  TRIAL_CALL(t, vmsplice(t->fd[1], &part, 1, 0));
}

const struct point points_splice[] = {
  {.name = "splice", .kind = KIND_EXTRA, .clause = GLIBC_EXTRA, .flags = POINT_BLOCKS | POINT_EFFECT,
   .lost = "the byte went from pipe to pipe, and nobody was told", .setup = pipes_setup, .call = call_splice,
   .succeed = pipes_succeed, .effect = pipes_effect},
  {.name = "tee", .kind = KIND_EXTRA, .clause = GLIBC_EXTRA, .flags = POINT_BLOCKS | POINT_EFFECT,
   .lost = "the byte was copied from pipe to pipe, and nobody was told", .setup = pipes_setup, .call = call_tee,
   .succeed = pipes_succeed, .effect = pipes_effect},
  {.name = "vmsplice", .kind = KIND_EXTRA, .clause = GLIBC_EXTRA, .flags = POINT_BLOCKS | POINT_EFFECT,
   .lost = "the byte went into the pipe although the thread says that it was cancelled", .setup = full_setup,
   .call = call_vmsplice, .succeed = full_succeed, .effect = full_effect},
  {.name = NULL},
};

EMBED_SOURCE(points_splice_c);
