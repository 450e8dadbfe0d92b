// --compare: collects the sides and hands them to the format that is asked for.
//
// The exit status tells whether there is a comparison, not what it shows: 0 if two sides at least have results, else 2.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "compare.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_SIDES "plain,kev-run,musl"

// Names in the order in which the first side has them; those that only others know come last.
static void gather_names(struct comparison *comparison) {
  size_t room = 0;
  for (size_t i = 0; i < comparison->side_count; i++) room += comparison->sides[i].count;
  comparison->names = calloc(room + 1, sizeof *comparison->names);
  if (comparison->names == NULL) return;
  for (size_t i = 0; i < comparison->side_count; i++) {
    const struct side *side = &comparison->sides[i];
    for (size_t k = 0; k < side->count; k++) {
      bool known = false;
      for (size_t earlier = 0; earlier < i && !known; earlier++)
        known = side_row(&comparison->sides[earlier], side->rows[k].test_case.name) != NULL;
      if (!known) comparison->names[comparison->name_count++] = side->rows[k].test_case.name;
    }
  }
}

static bool add_sides(struct comparison *comparison, const char *list, const struct options *given) {
  for (const char *at = list; *at != 0;) {
    char what[1024];
    size_t length = strcspn(at, ",");
    if (length >= sizeof what || comparison->side_count == COMPARE_SIDES_MAX) {
      fprintf(stderr, "kev-conformance: --compare: at most %d sides\n", COMPARE_SIDES_MAX);
      return false;
    }
    memcpy(what, at, length);
    what[length] = 0;
    if (length > 0) side_collect(&comparison->sides[comparison->side_count++], what, given);
    at += length + (at[length] == ',');
  }
  return true;
}

int compare_run(const struct options *given, FILE *out) {
  static struct comparison comparison;
  const char *format = given->format;
  bool html = strcmp(format, "html") == 0, json = strcmp(format, "json") == 0;
  if (!html && !json && strcmp(format, "table") != 0) {
    fprintf(stderr, "kev-conformance: --compare has the formats table, html and json\n");
    return 2;
  }
  bool good = true, named = false;
  for (unsigned i = 0; i < given->compare_count; i++) {
    good = good && add_sides(&comparison, given->compare[i], given);
    named = named || given->compare[i][0] != 0;
  }
  if (!named) good = add_sides(&comparison, DEFAULT_SIDES, given);
  if (!good) return 2;
  gather_names(&comparison);
  if (comparison.names == NULL) return 2;
  if (html)
    compare_html(out, &comparison);
  else if (json)
    compare_json(out, &comparison);
  else
    compare_table(out, &comparison);
  size_t with_results = 0;
  for (size_t i = 0; i < comparison.side_count; i++) with_results += comparison.sides[i].missing[0] == 0;
  return with_results >= 2 ? 0 : 2;
}
