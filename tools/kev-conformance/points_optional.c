// Calls that may be cancellation points: pthread_rwlock_rdlock, fgets, getc. Whether they act is only reported.
//
// A stream is left open: a cancelled thread may have left its lock held.
#define _GNU_SOURCE 1
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static pthread_rwlock_t rwlock;
static FILE *stream;

static bool rwlock_setup(struct trial *t) {
  (void)t;
  return pthread_rwlock_init(&rwlock, NULL) == 0 && pthread_rwlock_wrlock(&rwlock) == 0;
}
static void rwlock_succeed(struct trial *t) {
  (void)t;
  pthread_rwlock_unlock(&rwlock);
}
static void call_rdlock(struct trial *t) { TRIAL_ERROR_CALL(t, pthread_rwlock_rdlock(&rwlock)); }

static bool stream_setup(struct trial *t) {
  if (pipe2(t->fd, O_CLOEXEC) != 0) return false;
  stream = fdopen(t->fd[0], "r");
  t->fd[0] = -1;
  return stream != NULL;
}
static void stream_succeed(struct trial *t) { t->saved = (int)write(t->fd[1], "x\n", 2); }
static void call_fgets(struct trial *t) {
  t->value = fgets(t->buffer, sizeof t->buffer, stream) != NULL ? 0 : -1;
  t->error = errno;
}
static void call_getc(struct trial *t) { TRIAL_CALL(t, getc(stream)); }

#define OPTIONAL(name_, setup_, call_, succeed_)                                                                  \
  {.name = name_, .kind = KIND_EXTRA, .clause = "POSIX.1-2017 XSH 2.9.5.2 (may occur)",                           \
   .flags = POINT_BLOCKS | POINT_OPTIONAL, .setup = setup_, .call = call_, .succeed = succeed_}

const struct point points_optional[] = {
  OPTIONAL("pthread_rwlock_rdlock", rwlock_setup, call_rdlock, rwlock_succeed),
  OPTIONAL("fgets", stream_setup, call_fgets, stream_succeed),
  OPTIONAL("getc", stream_setup, call_getc, stream_succeed),
  {.name = NULL},
};

EMBED_SOURCE(points_optional_c);
