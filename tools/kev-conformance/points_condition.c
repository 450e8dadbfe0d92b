// Condition variables: pthread_cond_wait, _timedwait, _clockwait, C11's cnd_wait and cnd_timedwait.
//
// The cancelled thread owns the mutex again when its handlers run; the handler here gives it back.
#define _GNU_SOURCE 1
#include "support.h"

#include <errno.h>
#include <threads.h>
#include <time.h>

// Absent from older C libraries and from musl: then the address is null.
#pragma weak pthread_cond_clockwait
int pthread_cond_clockwait(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);

static bool condition_setup(struct trial *t) {
  return pthread_mutex_init(&t->mutex, NULL) == 0 && pthread_cond_init(&t->condition, NULL) == 0;
}
static bool clockwait_setup(struct trial *t) {
  if (pthread_cond_clockwait == NULL) t->why = "not built";
  return pthread_cond_clockwait != NULL && condition_setup(t);
}
static void condition_succeed(struct trial *t) {
  pthread_mutex_lock(&t->mutex);
  pthread_cond_signal(&t->condition);
  pthread_mutex_unlock(&t->mutex);
}

static void unlock(void *mutex) { pthread_mutex_unlock(mutex); }
static struct timespec later(clockid_t clock) {
  struct timespec at;
  clock_gettime(clock, &at);
  at.tv_sec += 1000;
  return at;
}

#define CONDITION_CALL(function, wait)                        \
  static void function(struct trial *t) {                     \
    struct timespec at = later(CLOCK_REALTIME);               \
    struct timespec monotonic = later(CLOCK_MONOTONIC);       \
    (void)at, (void)monotonic;                                \
    pthread_mutex_lock(&t->mutex);                            \
    pthread_cleanup_push(unlock, &t->mutex);                  \
    TRIAL_ERROR_CALL(t, wait);                                \
    pthread_cleanup_pop(1);                                   \
  }

CONDITION_CALL(call_wait, pthread_cond_wait(&t->condition, &t->mutex))
CONDITION_CALL(call_timedwait, pthread_cond_timedwait(&t->condition, &t->mutex, &at))
CONDITION_CALL(call_clockwait, pthread_cond_clockwait(&t->condition, &t->mutex, CLOCK_MONOTONIC, &monotonic))

static mtx_t c11_mutex;
static cnd_t c11_condition;

static bool c11_setup(struct trial *t) {
  (void)t;
  return mtx_init(&c11_mutex, mtx_plain) == thrd_success && cnd_init(&c11_condition) == thrd_success;
}
static void c11_succeed(struct trial *t) {
  (void)t;
  mtx_lock(&c11_mutex);
  cnd_signal(&c11_condition);
  mtx_unlock(&c11_mutex);
}
static void c11_unlock(void *unused) {
  (void)unused;
  mtx_unlock(&c11_mutex);
}

static void c11_call(struct trial *t, bool timed) {
  struct timespec at = later(CLOCK_REALTIME);
  mtx_lock(&c11_mutex);
  pthread_cleanup_push(c11_unlock, NULL);
  int result = timed ? cnd_timedwait(&c11_condition, &c11_mutex, &at) : cnd_wait(&c11_condition, &c11_mutex);
  t->value = result == thrd_success ? 0 : -1;
  t->error = 0;
  pthread_cleanup_pop(1);
}
static void call_cnd_wait(struct trial *t) { c11_call(t, false); }
static void call_cnd_timedwait(struct trial *t) { c11_call(t, true); }

#define CONDITION(name_, clause_, setup_, call_, succeed_)                                                        \
  {.name = name_, .kind = KIND_REQUIRED, .clause = clause_, .flags = POINT_BLOCKS | POINT_LATE, .setup = setup_,  \
   .call = call_, .succeed = succeed_}

const struct point points_condition[] = {
  CONDITION("pthread_cond_wait", POSIX_2017, condition_setup, call_wait, condition_succeed),
  CONDITION("pthread_cond_timedwait", POSIX_2017, condition_setup, call_timedwait, condition_succeed),
  CONDITION("pthread_cond_clockwait", POSIX_2024, clockwait_setup, call_clockwait, condition_succeed),
  CONDITION("cnd_wait", POSIX_2024, c11_setup, call_cnd_wait, c11_succeed),
  CONDITION("cnd_timedwait", POSIX_2024, c11_setup, call_cnd_timedwait, c11_succeed),
  {.name = NULL},
};

EMBED_SOURCE(points_condition_c);
