// What POSIX says of condition waits and mutexes: the mutex is held again when the handlers run, a cancelled waiter
// takes no signal from another one, and locking a mutex is no cancellation point.
#define _GNU_SOURCE 1
#include "support.h"

#include <errno.h>
#include <time.h>

enum { CONDITION_ROUNDS = 400, CONDITION_PATIENCE_MS = 3000 };

struct waiting {
  pthread_mutex_t mutex;
  pthread_cond_t condition;
  bool timed;
  int in_handler;   // what pthread_mutex_unlock gave in the handler
  atomic_int waits; // threads that are about to wait, under the mutex
  atomic_int woken; // threads whose wait returned
};

static bool prepare(struct waiting *w, bool timed) {
  pthread_mutexattr_t attribute;
  pthread_mutexattr_init(&attribute);
  pthread_mutexattr_settype(&attribute, PTHREAD_MUTEX_ERRORCHECK);
  w->timed = timed;
  w->in_handler = -1;
  atomic_store(&w->waits, 0);
  atomic_store(&w->woken, 0);
  return pthread_mutex_init(&w->mutex, &attribute) == 0 && pthread_cond_init(&w->condition, NULL) == 0;
}

static void unlock_handler(void *argument) {
  struct waiting *w = argument;
  w->in_handler = pthread_mutex_unlock(&w->mutex);
}

static void *waiter_body(void *argument) {
  struct waiting *w = argument;
  struct timespec at;
  clock_gettime(CLOCK_REALTIME, &at);
  at.tv_sec += 1000;
  pthread_mutex_lock(&w->mutex);
  pthread_cleanup_push(unlock_handler, w);
  atomic_fetch_add(&w->waits, 1);
  if (w->timed) {
    pthread_cond_timedwait(&w->condition, &w->mutex, &at);
  } else {
    pthread_cond_wait(&w->condition, &w->mutex);
  }
  atomic_fetch_add(&w->woken, 1);
  pthread_cleanup_pop(0);
  pthread_mutex_unlock(&w->mutex);
  return NULL;
}

// Everybody who counted himself in has given the mutex back once it can be had here.
static void until_waiting(struct waiting *w, int count) {
  wait_for(&w->waits, count, CONDITION_PATIENCE_MS);
  pthread_mutex_lock(&w->mutex);
  pthread_mutex_unlock(&w->mutex);
}

static void reacquired(struct result *result, bool timed) {
  for (int i = 0; i < 20; i++) {
    struct waiting w;
    pthread_t thread;
    REQUIRE(result, prepare(&w, timed), "the mutex could not be made");
    REQUIRE(result, pthread_create(&thread, NULL, waiter_body, &w) == 0, "pthread_create failed");
    until_waiting(&w, 1);
    // The canceller holds the mutex: the cancelled thread has to wait for it.
    if (i % 2 == 1) pthread_mutex_lock(&w.mutex);
    pthread_cancel(thread);
    if (i % 2 == 1) {
      sleep_ms(2);
      int early = w.in_handler;
      pthread_mutex_unlock(&w.mutex);
      REQUIRE(result, early == -1, "the handler ran while another thread held the mutex");
    }
    if (!thread_is_cancelled(thread, result, "the waiter")) return;
    REQUIRE(result, w.in_handler == 0, "the mutex was not the thread's when its handler ran: unlock gave %s",
            error_name(w.in_handler));
  }
}
static void run_reacquired(struct result *result) { reacquired(result, false); }
static void run_reacquired_timed(struct result *result) { reacquired(result, true); }

// Two waiters, one signal and one request at the same time: if the first waiter is cancelled, the signal is for the
// other.
static void run_signal_passed_on(struct result *result) {
  unsigned cancelled_count = 0;
  for (int i = 0; i < CONDITION_ROUNDS; i++) {
    struct waiting w;
    pthread_t first, second;
    void *value = NULL;
    REQUIRE(result, prepare(&w, false), "the mutex could not be made");
    REQUIRE(result, pthread_create(&first, NULL, waiter_body, &w) == 0, "pthread_create failed");
    until_waiting(&w, 1);
    REQUIRE(result, pthread_create(&second, NULL, waiter_body, &w) == 0, "pthread_create failed");
    until_waiting(&w, 2);
    if (random_below(2) == 0) {
      pthread_cond_signal(&w.condition);
      spin_until(now_ns() + random_below(20000));
      pthread_cancel(first);
    } else {
      pthread_cancel(first);
      spin_until(now_ns() + random_below(20000));
      pthread_cond_signal(&w.condition);
    }
    pthread_join(first, &value);
    if (value == PTHREAD_CANCELED) {
      cancelled_count++;
      if (!wait_for(&w.woken, 1, CONDITION_PATIENCE_MS)) {
        fail(result, "round %d: the cancelled waiter consumed the signal, the other one was not woken", i + 1);
        return;
      }
    }
    pthread_cond_broadcast(&w.condition);
    pthread_join(second, NULL);
  }
  if (cancelled_count < CONDITION_ROUNDS / 20) {
    inform(result, "no signal was lost, but the request won only %u of %d rounds", cancelled_count, CONDITION_ROUNDS);
  }
}

static pthread_mutex_t contended = PTHREAD_MUTEX_INITIALIZER;
static atomic_int about_to_lock, has_locked;
static void *locker_body(void *unused) {
  atomic_store(&about_to_lock, 1);
  pthread_mutex_lock(&contended);
  atomic_store(&has_locked, 1);
  pthread_mutex_unlock(&contended);
  pthread_testcancel();
  return unused;
}
static void run_mutex(struct result *result) {
  pthread_t thread;
  pthread_mutex_lock(&contended);
  REQUIRE(result, pthread_create(&thread, NULL, locker_body, NULL) == 0, "pthread_create failed");
  wait_for(&about_to_lock, 1, 1000);
  sleep_ms(10);
  pthread_cancel(thread);
  sleep_ms(20);
  pthread_mutex_unlock(&contended);
  if (!thread_is_cancelled(thread, result, "the thread")) return;
  REQUIRE(result, atomic_load(&has_locked) == 1, "the thread was cancelled in pthread_mutex_lock");
}

#define CONDITION(name_, run_, title_, clause_) \
  {.name = "condition/" name_, .title = title_, .clause = clause_, .kind = KIND_REQUIRED, .run = run_}

const struct test_case cases_condition[] = {
  CONDITION("mutex-reacquired", run_reacquired, "a cancelled pthread_cond_wait holds the mutex when its handlers run",
            "POSIX.1-2017 pthread_cond_wait"),
  CONDITION("mutex-reacquired-timed", run_reacquired_timed,
            "a cancelled pthread_cond_timedwait holds the mutex when its handlers run",
            "POSIX.1-2017 pthread_cond_wait"),
  CONDITION("signal-passed-on", run_signal_passed_on, "a cancelled waiter does not consume the signal of another one",
            "POSIX.1-2017 pthread_cond_wait"),
  CONDITION("mutex-lock", run_mutex, "pthread_mutex_lock is no cancellation point",
            "POSIX.1-2017 XSH 2.9.5.2 (no other functions), pthread_mutex_lock"),
  {.title = NULL},
};

EMBED_SOURCE(cases_condition_c);
