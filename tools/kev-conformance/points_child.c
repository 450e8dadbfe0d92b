// The waits for children: wait, wait3, wait4, waitid, waitpid, system.
//
// The child ends with status 7 as soon as its pipe is closed, and the success is there once it has ended. A loss is a
// child that was reaped and whose status nobody has. system is a sleep here: its child belongs to the C library.
#define _GNU_SOURCE 1
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static bool child_setup(struct trial *t) {
  if (pipe2(t->fd, O_CLOEXEC) != 0) return false;
  t->child = fork();
  if (t->child == 0) {
    char byte;
    close(t->fd[1]);
    _exit(read(t->fd[0], &byte, 1) == 0 ? 7 : 8);
  }
  return t->child > 0;
}

// Waits for the end, and leaves the child to be reaped, unless the thread was first.
static void child_succeed(struct trial *t) {
  siginfo_t info;
  close(t->fd[1]);
  t->fd[1] = -1;
  while (waitid(P_PID, (id_t)t->child, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) continue;
}

static bool child_effect(struct trial *t) {
  int status = 0;
  return waitpid(t->child, &status, 0) != t->child;
}

static void child_teardown(struct trial *t) {
  if (t->child <= 0) return;
  if (t->fd[1] >= 0) child_succeed(t);
  waitpid(t->child, NULL, 0);
}

static void call_wait(struct trial *t) { TRIAL_CALL(t, wait(NULL)); }
static void call_wait3(struct trial *t) {
  int status;
  TRIAL_CALL(t, wait3(&status, 0, NULL));
}
static void call_wait4(struct trial *t) {
  int status;
  TRIAL_CALL(t, wait4(t->child, &status, 0, NULL));
}
static void call_waitpid(struct trial *t) {
  int status;
  TRIAL_CALL(t, waitpid(t->child, &status, 0));
}
static void call_waitid(struct trial *t) {
  siginfo_t info;
  TRIAL_CALL(t, waitid(P_PID, (id_t)t->child, &info, WEXITED));
}

static void call_system(struct trial *t) { TRIAL_CALL(t, system(t->brief ? "exec sleep 0.1" : "exec sleep 10")); }

#define WAITING(function, kind_, clause_)                                                                         \
  {.name = #function, .kind = kind_, .clause = clause_, .flags = POINT_BLOCKS | POINT_EFFECT,                      \
   .lost = "the child was reaped, and nobody has its status", .setup = child_setup, .call = call_##function,      \
   .succeed = child_succeed, .effect = child_effect, .teardown = child_teardown}

const struct point points_child[] = {
  WAITING(wait, KIND_REQUIRED, POSIX_2017),
  WAITING(wait3, KIND_EXTRA, GLIBC_EXTRA),
  WAITING(wait4, KIND_EXTRA, GLIBC_EXTRA),
  WAITING(waitid, KIND_REQUIRED, POSIX_2017),
  WAITING(waitpid, KIND_REQUIRED, POSIX_2017),
  {.name = "system", .kind = KIND_REQUIRED, .clause = POSIX_2017,
   .flags = POINT_BLOCKS | POINT_TIMED, .call = call_system},
  {.name = NULL},
};

EMBED_SOURCE(points_child_c);
