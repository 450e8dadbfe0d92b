// Property: a request wakes a thread that is blocked in the call; the thread ends as cancelled and leaves no effect.
//
// The latency runs from pthread_cancel until the thread's outermost cleanup handler has run.
#define _GNU_SOURCE 1
#include "property.h"
#include "support.h"

#include <stdlib.h>

enum { BLOCKED_TRIES = 21, BLOCKED_PATIENCE_MS = 3000, BLOCKED_OPTIONAL_MS = 200 };

static bool blocked_applies(const struct point *point) { return (point->flags & POINT_BLOCKS) != 0; }

static int compare_times(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void blocked_run(const struct point *point, struct result *result) {
  double times[BLOCKED_TRIES];
  for (int i = 0; i < BLOCKED_TRIES; i++) {
    struct trial t;
    bool optional = (point->flags & POINT_OPTIONAL) != 0;
    if (!trial_begin(&t, point, result)) return;
    trial_start(&t);
    if (!trial_block(&t, result)) return;
    int64_t start = now_ns();
    pthread_cancel(t.thread);
    if (!trial_wait_ended(&t, optional ? BLOCKED_OPTIONAL_MS : BLOCKED_PATIENCE_MS)) {
      if (optional) {
        trial_succeed(&t);
        trial_join(&t);
        inform(result, "is not woken by a request here");
        return;
      }
      // No document binds every C library to the extra points: a plain failure then, and no search for stuck threads.
      if (point->kind == KIND_EXTRA) {
        fail(result, "is not woken by a request: it is no cancellation point here");
        return;
      }
      hang(result, "the blocked thread was not cancelled within %d ms", BLOCKED_PATIENCE_MS);
      return;
    }
    times[i] = (double)(now_ns() - start) / 1000;
    bool cancelled = trial_join(&t);
    long value = t.value;
    int error = t.error;
    // What would have let the call go on is offered now: it must not be taken.
    bool effect = false;
    if (cancelled && point->effect != NULL) {
      trial_succeed(&t);
      effect = point->effect(&t);
    }
    trial_end(&t);
    REQUIRE(result, cancelled, "the call returned %ld (%s) instead of the thread being cancelled", value,
            error_name(value < 0 ? error : 0));
    REQUIRE(result, !effect, "the cancelled call left an effect: %s", point->lost ? point->lost : "");
  }
  qsort(times, BLOCKED_TRIES, sizeof times[0], compare_times);
  result->figures.has_latency = true;
  result->figures.latency_median_us = times[BLOCKED_TRIES / 2];
  result->figures.latency_max_us = times[BLOCKED_TRIES - 1];
  if (point->flags & POINT_OPTIONAL) inform(result, "is woken by a request here");
}

const struct property property_blocked = {
  .name = "blocked",
  .title = "a thread blocked in %s is woken by a request and ends with PTHREAD_CANCELED",
  .clause = POSIX_2017,
  .kind = KIND_REQUIRED,
  .applies = blocked_applies,
  .run = blocked_run,
};

EMBED_SOURCE(property_blocked_c);
