// Waits inside the C library: pthread_join, thrd_join, the semaphores, aio_suspend, and pthread_testcancel.
//
// A join that is cancelled leaves the thread to be joined: teardown does it. A loss of a semaphore is a unit
// that is gone.
#define _GNU_SOURCE 1
#include "support.h"

#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

// Absent from older C libraries and from musl: then the address is null.
#pragma weak sem_clockwait
int sem_clockwait(sem_t *, clockid_t, const struct timespec *);

static sem_t gate; // the joined thread waits here
static thrd_t c11_other;

static void *gate_body(void *unused) {
  while (sem_wait(&gate) != 0) continue;
  return unused;
}
static int c11_gate_body(void *unused) {
  gate_body(unused);
  return 0;
}
static void open_gate(struct trial *t) {
  (void)t;
  sem_post(&gate);
}
static bool join_setup(struct trial *t) {
  return sem_init(&gate, 0, 0) == 0 && pthread_create(&t->other, NULL, gate_body, NULL) == 0;
}
static void join_teardown(struct trial *t) {
  if (!t->ready) open_gate(t);
  if (!(atomic_load(&t->returned) && t->value == 0)) pthread_join(t->other, NULL);
}
static void call_pthread_join(struct trial *t) { TRIAL_ERROR_CALL(t, pthread_join(t->other, NULL)); }

static bool c11_join_setup(struct trial *t) {
  (void)t;
  return sem_init(&gate, 0, 0) == 0 && thrd_create(&c11_other, c11_gate_body, NULL) == thrd_success;
}
static void c11_join_teardown(struct trial *t) {
  if (!t->ready) open_gate(t);
  if (!(atomic_load(&t->returned) && t->value == 0)) thrd_join(c11_other, NULL);
}
static void call_thrd_join(struct trial *t) { t->value = thrd_join(c11_other, NULL) == thrd_success ? 0 : -1; }

static bool semaphore_setup(struct trial *t) { return sem_init(&t->semaphore, 0, 0) == 0; }
static bool clockwait_setup(struct trial *t) {
  if (sem_clockwait == NULL) t->why = "not built";
  return sem_clockwait != NULL && semaphore_setup(t);
}
static void semaphore_succeed(struct trial *t) { sem_post(&t->semaphore); }
static bool semaphore_effect(struct trial *t) {
  int value = -1;
  return sem_getvalue(&t->semaphore, &value) == 0 && value == 0;
}
static struct timespec later(clockid_t clock) {
  struct timespec at;
  clock_gettime(clock, &at);
  at.tv_sec += 1000;
  return at;
}
static void call_sem_wait(struct trial *t) { TRIAL_CALL(t, sem_wait(&t->semaphore)); }
static void call_sem_timedwait(struct trial *t) {
  struct timespec at = later(CLOCK_REALTIME);
  TRIAL_CALL(t, sem_timedwait(&t->semaphore, &at));
}
static void call_sem_clockwait(struct trial *t) {
  struct timespec at = later(CLOCK_MONOTONIC);
  TRIAL_CALL(t, sem_clockwait(&t->semaphore, CLOCK_MONOTONIC, &at));
}

static struct aiocb request;
static bool aio_setup(struct trial *t) {
  if (pipe2(t->fd, O_CLOEXEC) != 0) return false;
  memset(&request, 0, sizeof request);
  request.aio_fildes = t->fd[0];
  request.aio_buf = t->buffer;
  request.aio_nbytes = 1;
  request.aio_sigevent.sigev_notify = SIGEV_NONE;
  if (aio_read(&request) == 0) return true;
  t->child = -1;
  return false;
}
static void aio_succeed(struct trial *t) { t->saved = (int)write(t->fd[1], "x", 1); }
static void aio_teardown(struct trial *t) {
  if (t->child == -1) return;
  if (!t->ready) aio_succeed(t);
  while (aio_error(&request) == EINPROGRESS) sleep_ms(1);
  aio_return(&request);
}
static void call_aio_suspend(struct trial *t) {
  const struct aiocb *list[1] = {&request};
  TRIAL_CALL(t, aio_suspend(list, 1, NULL));
}

static void call_testcancel(struct trial *t) {
  pthread_testcancel();
  t->value = 0;
}

#define SEMAPHORE(function, clause_, setup_)                                                                      \
  {.name = #function, .kind = KIND_REQUIRED, .clause = clause_, .flags = POINT_BLOCKS | POINT_EFFECT,             \
   .lost = "the semaphore was taken, and nobody was told", .setup = setup_, .call = call_##function,              \
   .succeed = semaphore_succeed, .effect = semaphore_effect}

const struct point points_thread[] = {
  {.name = "pthread_join", .kind = KIND_REQUIRED, .clause = POSIX_2017, .flags = POINT_BLOCKS, .setup = join_setup,
   .call = call_pthread_join, .succeed = open_gate, .teardown = join_teardown},
  {.name = "thrd_join", .kind = KIND_REQUIRED, .clause = POSIX_2024, .flags = POINT_BLOCKS, .setup = c11_join_setup,
   .call = call_thrd_join, .succeed = open_gate, .teardown = c11_join_teardown},
  SEMAPHORE(sem_wait, POSIX_2017, semaphore_setup),
  SEMAPHORE(sem_timedwait, POSIX_2017, semaphore_setup),
  SEMAPHORE(sem_clockwait, POSIX_2024, clockwait_setup),
  {.name = "aio_suspend", .kind = KIND_REQUIRED, .clause = POSIX_2017, .flags = POINT_BLOCKS, .setup = aio_setup,
   .call = call_aio_suspend, .succeed = aio_succeed, .teardown = aio_teardown},
  {.name = "pthread_testcancel", .kind = KIND_REQUIRED, .clause = POSIX_2017, .call = call_testcancel},
  {.name = NULL},
};

EMBED_SOURCE(points_thread_c);
