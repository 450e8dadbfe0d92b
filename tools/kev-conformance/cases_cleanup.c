// What happens when a thread acts on a request: cleanup handlers in reverse order, with cancellation disabled, then the
// destructors of thread-specific data, and PTHREAD_CANCELED from the join.
#define _GNU_SOURCE 1
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

// Every step appends a letter. One thread at a time writes here.
static char steps[32];
static void step(const char *letter) { strncat(steps, letter, sizeof steps - strlen(steps) - 1); }
static void step_handler(void *letter) { step(letter); }
static void step_destructor(void *letter) { step(letter); }

// Runs a thread that blocks in its body until it is cancelled.
static bool cancel_blocked(void *(*body)(void *), void *argument, struct result *result) {
  pthread_t thread;
  steps[0] = 0;
  if (pthread_create(&thread, NULL, body, argument) != 0) {
    skip(result, "pthread_create failed");
    return false;
  }
  sleep_ms(10);
  pthread_cancel(thread);
  return thread_is_cancelled(thread, result, "the thread");
}

static void *lifo_body(void *unused) {
  pthread_cleanup_push(step_handler, "1");
  pthread_cleanup_push(step_handler, "2");
  pthread_cleanup_push(step_handler, "never");
  pthread_cleanup_pop(0);
  pthread_cleanup_push(step_handler, "3");
  sleep(10);
  pthread_cleanup_pop(0);
  pthread_cleanup_pop(0);
  pthread_cleanup_pop(0);
  return unused;
}
static void run_lifo(struct result *result) {
  if (!cancel_blocked(lifo_body, NULL, result)) return;
  REQUIRE(result, strcmp(steps, "321") == 0, "the handlers ran in the order %s instead of 321", steps);
}

static pthread_key_t key;
static void *tsd_body(void *unused) {
  pthread_setspecific(key, "D");
  pthread_cleanup_push(step_handler, "1");
  sleep(10);
  pthread_cleanup_pop(0);
  return unused;
}
static void run_before_tsd(struct result *result) {
  REQUIRE(result, pthread_key_create(&key, step_destructor) == 0, "pthread_key_create failed");
  if (!cancel_blocked(tsd_body, NULL, result)) return;
  REQUIRE(result, strcmp(steps, "1D") == 0, "handlers (1) and destructor (D) ran as %s instead of 1D", steps);
}

// In the handler another request is made and points are called, one that blocks for a while among them.
static int pipe_ends[2];
static void stubborn_handler(void *unused) {
  char byte = 0;
  (void)unused;
  pthread_cancel(pthread_self());
  pthread_testcancel();
  step("t");
  if (read(pipe_ends[0], &byte, 1) == 1) step("r");
  usleep(1000);
  step("u");
}
static void stubborn_destructor(void *unused) {
  (void)unused;
  pthread_testcancel();
  usleep(1000);
  step("D");
}
static void *stubborn_body(void *unused) {
  pthread_setspecific(key, "D");
  pthread_cleanup_push(stubborn_handler, NULL);
  sleep(10);
  pthread_cleanup_pop(0);
  return unused;
}
static void run_disabled(struct result *result) {
  pthread_t thread;
  steps[0] = 0;
  REQUIRE(result, pipe2(pipe_ends, O_CLOEXEC) == 0, "pipe2: %s", error_name(errno));
  REQUIRE(result, pthread_key_create(&key, stubborn_destructor) == 0, "pthread_key_create failed");
  REQUIRE(result, pthread_create(&thread, NULL, stubborn_body, NULL) == 0, "pthread_create failed");
  sleep_ms(10);
  pthread_cancel(thread);
  sleep_ms(10);
  pthread_cancel(thread); // the handler is blocked in read now
  sleep_ms(10);
  ssize_t written = write(pipe_ends[1], "x", 1);
  if (!thread_is_cancelled(thread, result, "the thread")) return;
  REQUIRE(result, written == 1 && strcmp(steps, "truD") == 0,
          "handler and destructor were disturbed by a second request: only %s of truD was done", steps);
}

static void state_handler(void *state) {
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, state);
}
static void *state_body(void *state) {
  pthread_cleanup_push(state_handler, state);
  sleep(10);
  pthread_cleanup_pop(0);
  return NULL;
}
static void run_state(struct result *result) {
  int state = -1;
  if (!cancel_blocked(state_body, &state, result)) return;
  // The standard says that the state is disabled; some implementations hold back requests in another way.
  if (state != PTHREAD_CANCEL_DISABLE) {
    inform(result, "pthread_setcancelstate still calls the state enabled in the handler");
  }
}

static void *value_body(void *unused) {
  for (;;) sleep(10);
  return unused;
}
static void run_value(struct result *result) {
  if (!cancel_blocked(value_body, NULL, result)) return;
  REQUIRE(result, PTHREAD_CANCELED != NULL, "PTHREAD_CANCELED is a null pointer");
}

static void *pop_body(void *unused) {
  pthread_cleanup_push(step_handler, "1");
  pthread_cleanup_push(step_handler, "2");
  pthread_cleanup_pop(1);
  sleep(10);
  pthread_cleanup_pop(0);
  return unused;
}
static void run_pop(struct result *result) {
  if (!cancel_blocked(pop_body, NULL, result)) return;
  REQUIRE(result, strcmp(steps, "21") == 0, "the handlers ran as %s instead of 21", steps);
}

#define CLEANUP(name_, run_, title_, clause_) \
  {.name = "cleanup/" name_, .title = title_, .clause = clause_, .kind = KIND_REQUIRED, .run = run_}

const struct test_case cases_cleanup[] = {
  CLEANUP("lifo", run_lifo, "cleanup handlers run in the reverse order of their pushes", "POSIX.1-2017 XSH 2.9.5.3"),
  CLEANUP("pop-executes", run_pop, "a popped handler runs once and not again", "POSIX.1-2017 pthread_cleanup_pop"),
  CLEANUP("before-tsd", run_before_tsd, "destructors of thread-specific data run after the cleanup handlers",
          "POSIX.1-2017 XSH 2.9.5.3"),
  CLEANUP("disabled", run_disabled, "handlers and destructors are not disturbed by another request",
          "POSIX.1-2017 XSH 2.9.5.3"),
  CLEANUP("state", run_state, "the cancelability state is disabled in a cleanup handler", "POSIX.1-2017 XSH 2.9.5.3"),
  CLEANUP("value", run_value, "pthread_join of a cancelled thread gives PTHREAD_CANCELED",
          "POSIX.1-2017 XSH 2.9.5, pthread_join"),
  {.title = NULL},
};

EMBED_SOURCE(cases_cleanup_c);
