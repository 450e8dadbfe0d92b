// How the sides of a comparison differ, case by case and in all; compare.h tells what a difference is.
//
// For the formats: nothing here collects or prints.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "compare.h"

#include <stdio.h>
#include <string.h>

const struct outcome_row *side_row(const struct side *side, const char *name) {
  for (size_t i = 0; i < side->count; i++)
    if (strcmp(side->rows[i].test_case.name, name) == 0) return &side->rows[i];
  return NULL;
}

// 0 is best; -1: not tried.
static int rank(const struct outcome_row *row) {
  if (row == NULL) return -1;
  switch (row->result.outcome) {
  case OUTCOME_PASS: return 0;
  case OUTCOME_INFO: return 1;
  case OUTCOME_FAIL: return 2;
  case OUTCOME_HANG: return 3;
  case OUTCOME_SKIP: case OUTCOME_NOT_BUILT: break;
  }
  return -1;
}

enum difference compare_difference(const struct comparison *comparison, size_t side, const char *name) {
  int first = rank(side_row(&comparison->sides[0], name));
  int other = rank(side_row(&comparison->sides[side], name));
  if (first == other) return DIFFERENCE_NONE;
  if (first < 0 || other < 0) return DIFFERENCE_OTHER;
  return other < first ? DIFFERENCE_BETTER : DIFFERENCE_WORSE;
}

bool compare_differs(const struct comparison *comparison, const char *name) {
  for (size_t i = 1; i < comparison->side_count; i++)
    if (comparison->sides[i].missing[0] == 0 && compare_difference(comparison, i, name) != DIFFERENCE_NONE)
      return true;
  return false;
}

bool compare_all_pass(const struct comparison *comparison, const char *name) {
  for (size_t i = 0; i < comparison->side_count; i++)
    if (comparison->sides[i].missing[0] == 0 && rank(side_row(&comparison->sides[i], name)) != 0) return false;
  return true;
}

struct side_counts compare_counts(const struct comparison *comparison, size_t side) {
  struct side_counts counts = {0};
  for (size_t i = 0; i < comparison->name_count; i++) {
    const char *name = comparison->names[i];
    const struct outcome_row *row = side_row(&comparison->sides[side], name);
    enum difference difference = compare_difference(comparison, side, name);
    counts.passed += row != NULL && row->result.outcome == OUTCOME_PASS;
    counts.failed += row != NULL && outcome_is_failure(row->result.outcome);
    counts.untried += rank(row) < 0;
    counts.better += difference == DIFFERENCE_BETTER;
    counts.worse += difference == DIFFERENCE_WORSE;
  }
  return counts;
}

void compare_note(char *text, size_t size, const struct comparison *comparison, const char *name) {
  static const char *const words[] = {"", "better", "worse", "not comparable"};
  size_t used = 0;
  text[0] = 0;
  for (size_t i = 1; i < comparison->side_count && used < size; i++) {
    const struct side *side = &comparison->sides[i];
    enum difference difference = compare_difference(comparison, i, name);
    if (difference == DIFFERENCE_NONE || side->missing[0] != 0) continue;
    used += (size_t)snprintf(text + used, size - used, "%s%s %s", used > 0 ? ", " : "", side->label,
                             words[difference]);
  }
}
