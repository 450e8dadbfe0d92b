// The arrangement of grid.h. A run has some hundreds of results: every search is a plain walk.
#include "grid.h"

#include "property.h"

#include <stdlib.h>
#include <string.h>

bool same_name(const char *a, const char *b) {
  return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void *grown(void *array, size_t count, size_t size) {
  void *bigger = realloc(array, count * size);
  if (bigger == NULL) {
    fputs("kev-conformance: out of memory\n", stderr);
    exit(2);
  }
  return bigger;
}

static void add_name(const char ***names, size_t *count, const char *name) {
  for (size_t i = 0; i < *count; i++)
    if (same_name((*names)[i], name)) return;
  *names = grown(*names, *count + 1, sizeof **names);
  (*names)[(*count)++] = name;
}

void grid_add(struct grid *grid, const struct test_case *test_case, const struct result *result) {
  if (grid->count == grid->room) {
    grid->room = grid->room == 0 ? 256 : 2 * grid->room;
    grid->seen = grown(grid->seen, grid->room, sizeof *grid->seen);
  }
  grid->seen[grid->count++] = (struct seen){test_case, *result};
  if (test_case->point == NULL || test_case->property == NULL) return;
  add_name(&grid->points, &grid->point_count, test_case->point);
  add_name(&grid->properties, &grid->property_count, test_case->property);
}

const struct seen *grid_cell(const struct grid *grid, const char *point, const char *property) {
  for (size_t i = 0; i < grid->count; i++) {
    const struct test_case *test_case = grid->seen[i].test_case;
    if (same_name(test_case->point, point) && same_name(test_case->property, property)) return &grid->seen[i];
  }
  return NULL;
}

const struct seen *grid_first(const struct grid *grid, const char *property) {
  for (size_t i = 0; i < grid->count; i++)
    if (grid->seen[i].test_case->point != NULL && same_name(grid->seen[i].test_case->property, property))
      return &grid->seen[i];
  return NULL;
}

void property_title(char *text, size_t size, const struct test_case *test_case) {
  const char *title = test_case->property_data == NULL ? test_case->title : test_case->property_data->title;
  const char *place = title == NULL ? NULL : strstr(title, "%s");
  if (place == NULL)
    snprintf(text, size, "%s", title == NULL ? "" : title);
  else
    snprintf(text, size, "%.*s%s%s", (int)(place - title), title, "the call", place + 2);
}

const char *property_clause(const struct test_case *test_case) {
  return test_case->property_data == NULL ? test_case->clause : test_case->property_data->clause;
}

bool seen_is_required_failure(const struct seen *seen) {
  return outcome_is_failure(seen->result.outcome) && !seen->result.expected &&
         seen->test_case->kind == KIND_REQUIRED;
}

void figures_brief(char *text, size_t size, const struct figures *figures) {
  text[0] = 0;
  if (!figures->has_rounds) return;
  if (figures->lost > 0)
    snprintf(text, size, "%u of %u lost", figures->lost, figures->rounds);
  else if (figures->hung > 0)
    snprintf(text, size, "%u of %u hung", figures->hung, figures->rounds);
}

void figures_full(char *text, size_t size, const struct figures *figures) {
  int length = 0;
  text[0] = 0;
  if (figures->has_rounds)
    length = snprintf(text, size, "%u rounds: %u cancelled, %u returned, %u lost, %u hung", figures->rounds,
                      figures->cancelled, figures->data_won, figures->lost, figures->hung);
  if (figures->has_latency && length >= 0 && (size_t)length < size)
    snprintf(text + length, size - (size_t)length, "%scancel to join: median %.0f us, at most %.0f us",
             length > 0 ? "; " : "", figures->latency_median_us, figures->latency_max_us);
}
