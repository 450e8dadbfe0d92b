// The names of kinds and outcomes, as users see them.
#define _GNU_SOURCE 1
#include "conformance.h"

bool outcome_is_failure(enum outcome outcome) { return outcome == OUTCOME_FAIL || outcome == OUTCOME_HANG; }

const char *kind_name(enum kind kind) {
  static const char *const names[] = {"required", "extra", "quality"};
  return names[kind];
}

const char *outcome_name(enum outcome outcome) {
  static const char *const names[] = {"pass", "fail", "skip", "info", "not-built", "hang"};
  return names[outcome];
}

EMBED_SOURCE(names_c);
