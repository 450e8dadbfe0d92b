// The notes of report_notes.h. Cases with the same message share a line of it: a property that fails does so at many
// points.
#include "report_notes.h"

#include "wrap.h"

#include <stdlib.h>
#include <string.h>

enum group { GROUP_FAILURES, GROUP_INFO, GROUP_SKIPPED };

static bool belongs(const struct seen *seen, enum group group) {
  switch (seen->result.outcome) {
  case OUTCOME_FAIL: case OUTCOME_HANG: return group == GROUP_FAILURES;
  case OUTCOME_INFO: return group == GROUP_INFO;
  case OUTCOME_SKIP: case OUTCOME_NOT_BUILT: return group == GROUP_SKIPPED;
  case OUTCOME_PASS: break;
  }
  return false;
}

static bool same_note(const struct seen *a, const struct seen *b) {
  return mark_of(a->test_case, &a->result) == mark_of(b->test_case, &b->result) &&
         strcmp(a->result.message, b->result.message) == 0;
}

// Cases of one property stand together, and so do all that were not tried. A case that stands alone is a group of its
// own.
static bool same_subject(const struct seen *a, const struct seen *b) {
  return a == b || (belongs(a, GROUP_SKIPPED) && belongs(b, GROUP_SKIPPED)) ||
         (a->test_case->property != NULL && same_name(a->test_case->property, b->test_case->property));
}

static void write_heading(FILE *out, const struct seen *seen, unsigned width) {
  const struct test_case *test_case = seen->test_case;
  const char *clause = property_clause(test_case);
  char title[300], text[600];
  property_title(title, sizeof title, test_case);
  snprintf(text, sizeof text, "%.280s%s%.280s%s", title, clause == NULL ? "" : " [", clause == NULL ? "" : clause,
           clause == NULL ? "" : "]");
  wrap_text(out, width, 0, 0, text);
}

// The mark, the names of the cases from `from` on that share its note, the note.
static void write_note(FILE *out, const struct grid *grid, size_t from, bool *told, unsigned width, bool coloured) {
  const struct seen *first = &grid->seen[from];
  const struct mark *mark = mark_of(first->test_case, &first->result);
  bool colour = coloured && mark->colour[0] != 0;
  size_t room = 1, used = 0;
  for (size_t i = from; i < grid->count; i++) room += sizeof first->test_case->name + 1;
  char *text = malloc(room + MESSAGE_SIZE + 4);
  if (text == NULL) return;
  for (size_t i = from; i < grid->count; i++) {
    const struct seen *seen = &grid->seen[i];
    if (told[i] || !same_subject(first, seen) || !same_note(first, seen)) continue;
    told[i] = true;
    used += (size_t)sprintf(text + used, "%s%s", used > 0 ? " " : "", seen->test_case->name);
  }
  if (first->result.message[0] != 0) sprintf(text + used, ": %s", first->result.message);
  fprintf(out, "  %s%-5s%s ", colour ? mark->colour : "", mark->word, colour ? "\033[0m" : "");
  wrap_text(out, width, 8, 8, text);
  if (first->result.expected) {
    const char *reason = expect_reason(first->test_case->name);
    if (reason != NULL && *reason != 0) {
      fputs("        ", out);
      snprintf(text, MESSAGE_SIZE, "expected: %.500s", reason);
      wrap_text(out, width, 8, 8, text);
    }
  }
  free(text);
}

static void write_group(FILE *out, const struct grid *grid, enum group group, bool *told, unsigned width,
                        bool coloured) {
  for (size_t i = 0; i < grid->count; i++) {
    const struct seen *first = &grid->seen[i];
    if (told[i] || !belongs(first, group)) continue;
    if (group != GROUP_SKIPPED) write_heading(out, first, width);
    for (size_t k = i; k < grid->count; k++)
      if (!told[k] && belongs(&grid->seen[k], group) && same_subject(first, &grid->seen[k]))
        write_note(out, grid, k, told, width, coloured);
    if (group != GROUP_SKIPPED) fputc('\n', out);
  }
}

void notes_write(FILE *out, const struct grid *grid, unsigned width, bool coloured) {
  bool *told = calloc(grid->count + 1, sizeof *told);
  if (told == NULL) return;
  write_group(out, grid, GROUP_FAILURES, told, width, coloured);
  if (!options.quiet) {
    write_group(out, grid, GROUP_INFO, told, width, coloured);
    write_group(out, grid, GROUP_SKIPPED, told, width, coloured);
  }
  free(told);
}

void notes_summary(FILE *out, const struct grid *grid, const struct run_info *run, const struct totals *totals) {
  const unsigned *count = totals->by_outcome;
  fprintf(out, "%s: %zu cases, %u passed", run->c_library[0] == 0 ? "unknown C library" : run->c_library, grid->count,
          count[OUTCOME_PASS]);
  fprintf(out, ", %u FAILED", totals->required_failures);
  if (totals->other_failures > 0) fprintf(out, ", %u failed without need", totals->other_failures);
  if (totals->expected_failures > 0) fprintf(out, ", %u failed as expected", totals->expected_failures);
  if (totals->unexpected_passes > 0) fprintf(out, ", %u unexpectedly passed", totals->unexpected_passes);
  if (count[OUTCOME_HANG] > 0) fprintf(out, " (%u of these hung)", count[OUTCOME_HANG]);
  if (count[OUTCOME_INFO] > 0) fprintf(out, ", %u undecided", count[OUTCOME_INFO]);
  unsigned untried = count[OUTCOME_SKIP] + count[OUTCOME_NOT_BUILT];
  if (untried > 0) fprintf(out, ", %u not tried", untried);
  fprintf(out, ", %.1f s\n", totals->seconds);
}
