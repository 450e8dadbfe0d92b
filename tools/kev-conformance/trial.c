// The life of a trial: a thread that goes into one call, is waited for, and is joined.
//
// The thread marks each step in atomic flags. Between the return of the call and the mark `returned` stands no
// cancellation point, so a thread that was cancelled without that mark told nobody what the call had done.
#define _GNU_SOURCE 1
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK_PATIENCE_MS = 5000 };

bool trial_begin(struct trial *t, const struct point *point, struct result *result) {
  memset(t, 0, sizeof *t);
  t->point = point;
  t->state = PTHREAD_CANCEL_ENABLE;
  t->type = PTHREAD_CANCEL_DEFERRED;
  for (int i = 0; i < 4; i++) t->fd[i] = -1;
  if (point->setup == NULL || point->setup(t)) return true;
  int error = errno;
  if (t->why == NULL) {
    skip(result, "the setup failed: %s", error_name(error));
  } else if (strcmp(t->why, "not built") == 0) {
    not_built(result, "this C library has no %s", point->name);
  } else {
    skip(result, "%s", t->why);
  }
  trial_end(t);
  return false;
}

static void mark_ended(void *argument) {
  struct trial *t = argument;
  atomic_store(&t->ended, 1);
}

static void *trial_body(void *argument) {
  struct trial *t = argument;
  pthread_cleanup_push(mark_ended, t);
  atomic_store(&t->tid, (int)syscall(SYS_gettid));
  // musl refuses the library function.
  if (t->batch) {
    syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &(struct sched_param){0});
    setpriority(PRIO_PROCESS, (id_t)atomic_load(&t->tid), getpriority(PRIO_PROCESS, 0) + 10);
  }
  pthread_setcanceltype(t->type, NULL);
  pthread_setcancelstate(t->state, NULL);
  if (t->cancel_self) pthread_cancel(pthread_self());
  atomic_store(&t->entered, 1);
  if (atomic_load(&t->start_at) != 0) {
    long long at;
    while ((at = atomic_load(&t->start_at)) < 0) continue;
    spin_until(at);
  }
  do {
    t->point->call(t);
  } while (t->repeat_on_eintr && t->value == -1 && t->error == EINTR);
  atomic_store(&t->returned, 1);
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  pthread_cleanup_pop(1);
  return NULL;
}

bool trial_start(struct trial *t) { return pthread_create(&t->thread, NULL, trial_body, t) == 0; }

void trial_succeed(struct trial *t) {
  t->ready = true;
  if (t->point->succeed != NULL) t->point->succeed(t);
}

bool thread_sleeps(int tid) {
  char path[64], text[256];
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return false;
  text[n] = 0;
  const char *end = strrchr(text, ')');
  return end != NULL && (end[2] == 'S' || end[2] == 'D');
}

bool trial_wait_blocked(struct trial *t) {
  if (!wait_for(&t->entered, 1, BLOCK_PATIENCE_MS)) return false;
  int64_t start = now_ns();
  while (!thread_sleeps(atomic_load(&t->tid))) {
    int64_t now = now_ns();
    if (now > start + BLOCK_PATIENCE_MS * (int64_t)1000000 || atomic_load(&t->ended)) return false;
    // A thread that shares this CPU is to preempt as seldom as to be preempted.
    if (t->batch || now > start + 1000000) {
      nanosleep(&(struct timespec){0, 20000}, NULL);
    } else {
      sched_yield();
    }
  }
  return true;
}

bool trial_block(struct trial *t, struct result *result) {
  if (trial_wait_blocked(t)) return true;
  if (atomic_load(&t->returned)) {
    fail(result, "the call did not block: it returned %ld (%s)", t->value, error_name(t->value < 0 ? t->error : 0));
  } else if (atomic_load(&t->ended)) {
    fail(result, "the thread ended as cancelled before there was a request");
  } else {
    hang(result, "the thread did not come to sleep in the call within %d ms", BLOCK_PATIENCE_MS);
  }
  return false;
}

bool trial_wait_ended(struct trial *t, int milliseconds) { return wait_for(&t->ended, 1, milliseconds); }

bool trial_join(struct trial *t) {
  void *value = NULL;
  pthread_join(t->thread, &value);
  return value == PTHREAD_CANCELED;
}

void trial_end(struct trial *t) {
  if (t->point->teardown != NULL) t->point->teardown(t);
  for (int i = 0; i < 4; i++) {
    if (t->fd[i] >= 0) close(t->fd[i]);
    t->fd[i] = -1;
  }
}

bool thread_is_cancelled(pthread_t thread, struct result *result, const char *who) {
  void *value = NULL;
  int error = pthread_join(thread, &value);
  if (error != 0) {
    fail(result, "pthread_join of %s gave %s", who, error_name(error));
  } else if (value != PTHREAD_CANCELED) {
    fail(result, "%s did not end with PTHREAD_CANCELED", who);
  }
  return error == 0 && value == PTHREAD_CANCELED;
}

static void *warm_up_body(void *unused) {
  (void)unused;
  for (int i = 0; i < 10000; i++) sleep_ms(1);
  return NULL;
}

void warm_up(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, warm_up_body, NULL) != 0) return;
  pthread_cancel(thread);
  pthread_join(thread, NULL);
}

EMBED_SOURCE(trial_c);
