// The table of marks, and who gets them in colour.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "mark.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MARK_OK, MARK_FAIL, MARK_HANG, MARK_LESSER, MARK_EXPECTED, MARK_INFO, MARK_SKIP, MARK_NOT_BUILT };

const struct mark marks[MARK_COUNT] = {
  [MARK_OK] = {"ok", "ok", "\033[32m", "it holds"},
  [MARK_FAIL] = {"FAIL", "fail", "\033[1;31m", "it does not hold, and a standard demands it"},
  [MARK_HANG] = {"HANG", "fail", "\033[1;31m", "the case did not end in time"},
  [MARK_LESSER] = {"fail", "less", "\033[33m", "it does not hold; no standard demands it"},
  [MARK_EXPECTED] = {"xfail", "known", "\033[35m", "it does not hold, as --expect says"},
  [MARK_INFO] = {"info", "info", "\033[36m", "neither good nor bad; the message tells what was seen"},
  [MARK_SKIP] = {"skip", "skip", "\033[2m", "it cannot be tried on this machine"},
  [MARK_NOT_BUILT] = {"n/b", "skip", "\033[2m", "not built: the C library or a build option lacks a part"},
};

const struct mark *mark_of(const struct test_case *test_case, const struct result *result) {
  if (outcome_is_failure(result->outcome) && result->expected) return &marks[MARK_EXPECTED];
  switch (result->outcome) {
  case OUTCOME_PASS: return &marks[MARK_OK];
  case OUTCOME_FAIL: return &marks[test_case->kind == KIND_REQUIRED ? MARK_FAIL : MARK_LESSER];
  case OUTCOME_HANG: return &marks[MARK_HANG];
  case OUTCOME_INFO: return &marks[MARK_INFO];
  case OUTCOME_SKIP: return &marks[MARK_SKIP];
  case OUTCOME_NOT_BUILT: break;
  }
  return &marks[MARK_NOT_BUILT];
}

bool wants_colour(FILE *out) {
  const char *refused = getenv("NO_COLOR");
  const char *terminal = getenv("TERM");
  if (refused != NULL && *refused != 0) return false;
  if (terminal == NULL || strcmp(terminal, "dumb") == 0) return false;
  return fileno(out) >= 0 && isatty(fileno(out));
}
