// The switches and the moments of a request: states, types and their old values, a request for oneself, for a thread
// that starts, and for one that has ended.
#define _GNU_SOURCE 1
#include "support.h"

#include <errno.h>
#include <unistd.h>

static void run_old_values(struct result *result) {
  int old = -1;
  REQUIRE(result, pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old) == 0 && old == PTHREAD_CANCEL_ENABLE,
          "a thread does not start with cancellation enabled");
  REQUIRE(result, pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old) == 0 && old == PTHREAD_CANCEL_DISABLE,
          "pthread_setcancelstate did not give the old state");
  REQUIRE(result, pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old) == 0 && old == PTHREAD_CANCEL_DEFERRED,
          "a thread does not start with deferred cancellation");
  REQUIRE(result, pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &old) == 0 && old == PTHREAD_CANCEL_ASYNCHRONOUS,
          "pthread_setcanceltype did not give the old type");
}

static void run_invalid(struct result *result) {
  int old = -1;
  int state = pthread_setcancelstate(12345, NULL), type = pthread_setcanceltype(12345, NULL);
  REQUIRE(result, state == EINVAL, "pthread_setcancelstate(12345) gave %s", error_name(state));
  REQUIRE(result, type == EINVAL, "pthread_setcanceltype(12345) gave %s", error_name(type));
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
  REQUIRE(result, old == PTHREAD_CANCEL_ENABLE, "the refused state was taken over");
}

static void *self_body(void *unused) {
  pthread_cancel(pthread_self());
  pthread_testcancel();
  return unused;
}
// Deferred: pthread_cancel itself returns.
static atomic_int came_back;
static void *self_returns_body(void *unused) {
  pthread_cancel(pthread_self());
  atomic_store(&came_back, 1);
  pthread_testcancel();
  return unused;
}
static bool start(pthread_t *thread, void *(*body)(void *), struct result *result) {
  if (pthread_create(thread, NULL, body, NULL) == 0) return true;
  skip(result, "pthread_create failed");
  return false;
}
static void run_self(struct result *result) {
  pthread_t thread;
  if (!start(&thread, self_body, result) || !thread_is_cancelled(thread, result, "the thread")) return;
  if (!start(&thread, self_returns_body, result) || !thread_is_cancelled(thread, result, "the thread")) return;
  REQUIRE(result, atomic_load(&came_back) == 1, "pthread_cancel of oneself acted although the type is deferred");
}

static void *point_body(void *unused) {
  for (;;) sleep(10);
  return unused;
}
static void run_starting(struct result *result) {
  for (int i = 0; i < 300; i++) {
    pthread_t thread;
    if (!start(&thread, point_body, result)) return;
    pthread_cancel(thread);
    if (!thread_is_cancelled(thread, result, "a thread that was cancelled while it started")) return;
  }
}

static void *empty_body(void *argument) { return argument; }
static void run_ended(struct result *result) {
  pthread_t thread;
  void *value = NULL;
  int mark;
  REQUIRE(result, pthread_create(&thread, NULL, empty_body, &mark) == 0, "pthread_create failed");
  sleep_ms(30);
  int error = pthread_cancel(thread);
  REQUIRE(result, pthread_join(thread, &value) == 0 && value == &mark,
          "a request for a thread that had ended changed what pthread_join gives");
  REQUIRE(result, error == 0, "pthread_cancel of a thread that has ended but is not joined gave %s", error_name(error));
}

static void *enable_body(void *unused) {
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  pthread_cancel(pthread_self());
  pthread_testcancel();
  usleep(1000);
  atomic_store(&came_back, 1);
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
  pthread_testcancel();
  return unused;
}
static void run_held(struct result *result) {
  pthread_t thread;
  if (!start(&thread, enable_body, result) || !thread_is_cancelled(thread, result, "the thread")) return;
  REQUIRE(result, atomic_load(&came_back) == 1, "the request was acted upon while cancellation was disabled");
}

static volatile unsigned spins;
static void *spin_body(void *unused) {
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  atomic_store(&came_back, 1);
  for (;;) spins++;
  return unused;
}
static void run_spinning(struct result *result) {
  for (int i = 0; i < 20; i++) {
    pthread_t thread;
    atomic_store(&came_back, 0);
    if (!start(&thread, spin_body, result)) return;
    wait_for(&came_back, 1, 1000);
    pthread_cancel(thread);
    if (!thread_is_cancelled(thread, result, "the spinning thread")) return;
  }
}

static void *pending_async_body(void *unused) {
  pthread_cancel(pthread_self());
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  for (int64_t end = now_ns() + 1000000000; now_ns() < end;) continue;
  return unused;
}
static void run_pending_async(struct result *result) {
  pthread_t thread;
  if (start(&thread, pending_async_body, result)) thread_is_cancelled(thread, result, "the thread");
}

static void *repeated_body(void *unused) {
  sleep(10);
  return unused;
}
static void run_repeated(struct result *result) {
  pthread_t thread;
  if (!start(&thread, repeated_body, result)) return;
  for (int i = 0; i < 100; i++) {
    int error = pthread_cancel(thread);
    REQUIRE(result, error == 0, "request number %d gave %s", i + 1, error_name(error));
  }
  thread_is_cancelled(thread, result, "the thread");
}

// A deferred thread that calls no point is left alone.
static void *busy_body(void *unused) {
  atomic_store(&came_back, 1);
  for (int64_t end = now_ns() + 50000000; now_ns() < end;) spins++;
  atomic_store(&came_back, 2);
  pthread_testcancel();
  return unused;
}
static void run_deferred(struct result *result) {
  pthread_t thread;
  if (!start(&thread, busy_body, result)) return;
  wait_for(&came_back, 1, 1000);
  pthread_cancel(thread);
  if (!thread_is_cancelled(thread, result, "the thread")) return;
  REQUIRE(result, atomic_load(&came_back) == 2, "a deferred thread was cancelled outside of any cancellation point");
}

#define STATE(name_, kind_, run_, title_, clause_) \
  {.name = "state/" name_, .title = title_, .clause = clause_, .kind = kind_, .run = run_}
#define SETCANCELSTATE "POSIX.1-2017 pthread_setcancelstate"

const struct test_case cases_state[] = {
  STATE("old-values", KIND_REQUIRED, run_old_values, "the first state and type, and the old ones, are right",
        SETCANCELSTATE),
  STATE("invalid", KIND_REQUIRED, run_invalid, "a state or type that does not exist gives EINVAL", SETCANCELSTATE),
  STATE("self", KIND_REQUIRED, run_self, "a deferred thread that cancels itself acts at its next point",
        "POSIX.1-2017 XSH 2.9.5.2"),
  STATE("starting", KIND_REQUIRED, run_starting, "a request for a thread that starts is not lost",
        "POSIX.1-2017 pthread_cancel"),
  STATE("ended", KIND_REQUIRED, run_ended, "a request for a thread that has ended but is not joined does no harm",
        "POSIX.1-2017 pthread_cancel, XSH 2.9.2 (lifetime of a thread ID)"),
  STATE("held", KIND_REQUIRED, run_held, "a request is held back while cancellation is disabled, and acted upon later",
        "POSIX.1-2017 XSH 2.9.5.1"),
  STATE("deferred", KIND_REQUIRED, run_deferred, "a deferred thread is left alone outside of cancellation points",
        "POSIX.1-2017 XSH 2.9.5.1"),
  STATE("repeated", KIND_REQUIRED, run_repeated, "many requests are like one", "POSIX.1-2017 pthread_cancel"),
  STATE("spinning", KIND_QUALITY, run_spinning, "a spinning thread of asynchronous type is cancelled",
        "POSIX.1-2017 XSH 2.9.5.1 (requests may be acted upon at any time)"),
  STATE("pending-async", KIND_QUALITY, run_pending_async, "a held request is acted upon once the type is asynchronous",
        "POSIX.1-2017 XSH 2.9.5.1 (requests may be acted upon at any time)"),
  {.title = NULL},
};

EMBED_SOURCE(cases_state_c);
