// Property: a request that is pending when the call is entered is acted upon before the call does anything.
//
// Everything is ready for the call to succeed, so an implementation that looks too late is seen by its effect, and one
// that does not look at all returns.
#define _GNU_SOURCE 1
#include "property.h"
#include "support.h"

enum { ENTRY_TRIES = 5, ENTRY_PATIENCE_MS = 3000 };

static bool entry_applies(const struct point *point) {
  (void)point;
  return true;
}

static void entry_run(const struct point *point, struct result *result) {
  for (int i = 0; i < ENTRY_TRIES; i++) {
    struct trial t;
    if (!trial_begin(&t, point, result)) return;
    bool late = (point->flags & POINT_LATE) != 0;
    t.cancel_self = true;
    t.brief = true;
    if (!late) trial_succeed(&t);
    trial_start(&t);
    if (!trial_wait_ended(&t, ENTRY_PATIENCE_MS)) {
      hang(result, "the thread with a pending request did not end within %d ms", ENTRY_PATIENCE_MS);
      return;
    }
    bool cancelled = trial_join(&t);
    bool effect = cancelled && !late && point->effect != NULL && point->effect(&t);
    long value = t.value;
    int error = t.error;
    trial_end(&t);
    if (!cancelled && (point->flags & POINT_OPTIONAL)) {
      inform(result, "is not a cancellation point here");
      return;
    }
    REQUIRE(result, cancelled, "the call returned %ld (%s) although a request was pending", value,
            error_name(value < 0 ? error : 0));
    REQUIRE(result, !effect, "the request was acted upon after the effect: %s", point->lost ? point->lost : "");
  }
  if (point->flags & POINT_OPTIONAL) inform(result, "is a cancellation point here");
}

const struct property property_entry = {
  .name = "entry",
  .title = "%s acts on a request that is pending on entry, before any side effect",
  .clause = POSIX_2017,
  .kind = KIND_REQUIRED,
  .applies = entry_applies,
  .run = entry_run,
};

EMBED_SOURCE(property_entry_c);
