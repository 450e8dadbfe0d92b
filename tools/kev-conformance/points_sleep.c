// The sleeps: sleep, usleep, nanosleep, clock_nanosleep, thrd_sleep. They end by themselves; nothing can be lost.
#define _GNU_SOURCE 1
#include "support.h"

#include <errno.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static struct timespec duration(struct trial *t) {
  return t->brief ? (struct timespec){0, 100000000} : (struct timespec){10, 0};
}

// sleep knows whole seconds only. It returns what was left.
static void call_sleep(struct trial *t) {
  unsigned left = sleep(t->brief ? 1 : 10);
  t->value = left == 0 ? 0 : -1;
  t->error = left == 0 ? 0 : EINTR;
}
static void call_usleep(struct trial *t) { TRIAL_CALL(t, usleep(t->brief ? 100000 : 10000000)); }
static void call_nanosleep(struct trial *t) {
  struct timespec time = duration(t);
  TRIAL_CALL(t, nanosleep(&time, NULL));
}
static void call_clock_nanosleep(struct trial *t) {
  struct timespec time = duration(t);
  TRIAL_ERROR_CALL(t, clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL));
}
static void call_thrd_sleep(struct trial *t) {
  struct timespec time = duration(t);
  int result = thrd_sleep(&time, NULL);
  t->value = result == 0 ? 0 : -1;
  t->error = result == -1 ? EINTR : 0;
}

#define SLEEP(function, kind_, clause_)                                                                           \
  {.name = #function, .kind = kind_, .clause = clause_, .flags = POINT_BLOCKS | POINT_TIMED, .call = call_##function}

const struct point points_sleep[] = {
  SLEEP(sleep, KIND_REQUIRED, POSIX_2017),
  SLEEP(usleep, KIND_EXTRA, "POSIX.1-2001 XSH 2.9.5.2 (function removed in 2008)"),
  SLEEP(nanosleep, KIND_REQUIRED, POSIX_2017),
  SLEEP(clock_nanosleep, KIND_REQUIRED, POSIX_2017),
  SLEEP(thrd_sleep, KIND_REQUIRED, POSIX_2024),
  {.name = NULL},
};

EMBED_SOURCE(points_sleep_c);
