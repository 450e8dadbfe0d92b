// Properties of the two switches: a thread that has disabled cancellation notices nothing of a request, and a thread of
// asynchronous type is cancelled wherever it is.
#define _GNU_SOURCE 1
#include "property.h"
#include "support.h"

#include <errno.h>

enum { STATE_TRIES = 4, STATE_PATIENCE_MS = 3000, STATE_QUIET_MS = 15 };

static bool disabled_applies(const struct point *point) {
  return (point->flags & POINT_OPTIONAL) == 0 && ((point->flags & POINT_BLOCKS) || point->setup != NULL);
}

static void disabled_run(const struct point *point, struct result *result) {
  for (int i = 0; i < STATE_TRIES; i++) {
    struct trial t;
    if (!trial_begin(&t, point, result)) return;
    bool blocks = (point->flags & POINT_BLOCKS) != 0;
    t.state = PTHREAD_CANCEL_DISABLE;
    t.brief = true;
    t.cancel_self = i % 2 == 0; // the request is there before the call, or comes while it blocks
    trial_start(&t);
    if (blocks) {
      if (!trial_block(&t, result)) return;
      if (!t.cancel_self) pthread_cancel(t.thread);
      if (!(point->flags & POINT_TIMED)) {
        sleep_ms(STATE_QUIET_MS);
        if (atomic_load(&t.ended)) {
          bool cancelled = trial_join(&t);
          fail(result, cancelled ? "the thread was cancelled although it had disabled cancellation"
                                 : "the request ended the call of a thread that had disabled cancellation");
          if (!cancelled) fail(result, "the request ended the call with %ld (%s)", t.value, error_name(t.error));
          return;
        }
        trial_succeed(&t);
      }
    }
    if (!trial_wait_ended(&t, STATE_PATIENCE_MS)) {
      hang(result, "the call did not return although it could succeed");
      return;
    }
    bool cancelled = trial_join(&t);
    long value = t.value;
    int error = t.error;
    trial_end(&t);
    REQUIRE(result, !cancelled, "the thread was cancelled although it had disabled cancellation");
    bool good = value >= 0 || ((point->flags & POINT_ENDS_EINTR) && error == EINTR);
    REQUIRE(result, good, "the call of a disabled thread failed with %s", error_name(error));
  }
}

const struct property property_disabled = {
  .name = "disabled",
  .title = "%s of a thread that has disabled cancellation is not disturbed by a request",
  .clause = "POSIX.1-2017 XSH 2.9.5.1",
  .kind = KIND_REQUIRED,
  .applies = disabled_applies,
  .run = disabled_run,
};

static bool async_applies(const struct point *point) {
  return (point->flags & POINT_BLOCKS) != 0 && (point->flags & POINT_OPTIONAL) == 0;
}

static void async_run(const struct point *point, struct result *result) {
  for (int i = 0; i < STATE_TRIES; i++) {
    struct trial t;
    if (!trial_begin(&t, point, result)) return;
    t.type = PTHREAD_CANCEL_ASYNCHRONOUS;
    trial_start(&t);
    if (!trial_block(&t, result)) return;
    pthread_cancel(t.thread);
    if (!trial_wait_ended(&t, STATE_PATIENCE_MS)) {
      hang(result, "the blocked thread of asynchronous type was not cancelled within %d ms", STATE_PATIENCE_MS);
      return;
    }
    bool cancelled = trial_join(&t);
    trial_end(&t);
    REQUIRE(result, cancelled, "the call returned instead of the thread being cancelled");
  }
}

const struct property property_async = {
  .name = "async",
  .title = "a thread of asynchronous type that is blocked in %s is cancelled",
  .clause = "POSIX.1-2017 XSH 2.9.5.1 (requests may be acted upon at any time)",
  .kind = KIND_QUALITY,
  .applies = async_applies,
  .run = async_run,
};

EMBED_SOURCE(property_state_c);
