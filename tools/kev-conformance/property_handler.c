// Properties: a request that comes while a signal handler runs, which interrupted the call, is not lost when the
// handler returns: the restarted call, or the next one after EINTR, acts on it.
//
// The handler spins and calls nothing that is a cancellation point. SIGALRM is used, as the points use SIGUSR1
// and SIGUSR2.
#define _GNU_SOURCE 1
#include "property.h"
#include "support.h"

#include <signal.h>

enum { HANDLER_TRIES = 10, HANDLER_PATIENCE_MS = 3000 };

static atomic_int handler_entered, handler_may_return;

static void slow_handler(int signal_number) {
  (void)signal_number;
  atomic_store(&handler_entered, 1);
  while (!atomic_load(&handler_may_return)) continue;
}

static bool handler_applies(const struct point *point) {
  return (point->flags & POINT_BLOCKS) != 0 && (point->flags & (POINT_OPTIONAL)) == 0;
}

static void handler_run(const struct point *point, struct result *result, int flags) {
  struct sigaction action = {.sa_handler = slow_handler, .sa_flags = flags};
  sigaction(SIGALRM, &action, NULL);
  for (int i = 0; i < HANDLER_TRIES; i++) {
    struct trial t;
    if (!trial_begin(&t, point, result)) return;
    t.repeat_on_eintr = true;
    atomic_store(&handler_entered, 0);
    atomic_store(&handler_may_return, 0);
    trial_start(&t);
    if (!trial_block(&t, result)) return;
    pthread_kill(t.thread, SIGALRM);
    // A call may hold the signal back (system does not, but may); then the request meets the call itself.
    bool entered = wait_for(&handler_entered, 1, 200);
    pthread_cancel(t.thread);
    spin_until(now_ns() + random_below(200) * 1000);
    atomic_store(&handler_may_return, 1);
    if (!trial_wait_ended(&t, HANDLER_PATIENCE_MS)) {
      if (point->kind == KIND_EXTRA) {
        fail(result, "the request was lost, or it is no cancellation point here");
        return;
      }
      hang(result, "the request %s was lost: the thread still blocks after %d ms",
           entered ? "that came inside the handler" : "that came after the signal", HANDLER_PATIENCE_MS);
      return;
    }
    bool cancelled = trial_join(&t);
    long value = t.value;
    int error = t.error;
    trial_end(&t);
    REQUIRE(result, cancelled, "the call returned %ld (%s) and the request was not acted upon", value,
            error_name(value < 0 ? error : 0));
  }
}

static void restart_run(const struct point *point, struct result *result) { handler_run(point, result, SA_RESTART); }
static void interrupt_run(const struct point *point, struct result *result) { handler_run(point, result, 0); }

const struct property property_handler_restart = {
  .name = "handler-restart",
  .title = "a request that comes while a handler with SA_RESTART interrupts %s is not lost",
  .clause = POSIX_2017,
  .kind = KIND_REQUIRED,
  .applies = handler_applies,
  .run = restart_run,
};

const struct property property_handler_eintr = {
  .name = "handler-eintr",
  .title = "a request that comes while a handler without SA_RESTART interrupts %s is not lost",
  .clause = POSIX_2017,
  .kind = KIND_REQUIRED,
  .applies = handler_applies,
  .run = interrupt_run,
};

EMBED_SOURCE(property_handler_c);
