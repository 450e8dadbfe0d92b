// The table of all cases: every point crossed with every property that applies to it, then the cases that stand alone.
//
// Made once at start; nothing is freed. A case is as binding as the less binding of its point and its property.
#define _GNU_SOURCE 1
#include "property.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define POINTS(name) extern const struct point points_##name[];
#define PROPERTY(name, file) extern const struct property property_##name;
#define CASES(name) extern const struct test_case cases_##name[];
#include "tables.def"
#undef POINTS
#undef PROPERTY
#undef CASES

extern const struct test_case selftest_cases[];
extern const size_t selftest_case_count;

struct test_case *cases;
size_t case_count;

static struct test_case *add_case(void) {
  static size_t room;
  if (case_count == room) {
    room = room == 0 ? 256 : room * 2;
    cases = realloc(cases, room * sizeof *cases);
    if (cases == NULL) abort();
  }
  memset(&cases[case_count], 0, sizeof *cases);
  return &cases[case_count++];
}

static const char *format(const char *pattern, const char *first, const char *second) {
  size_t size = strlen(pattern) + strlen(first) + strlen(second) + 1;
  char *text = malloc(size);
  if (text == NULL) abort();
  snprintf(text, size, pattern, first, second);
  return text;
}

// What makes the call a point, and what demands the property, unless they are the same clause.
static const char *joint_clause(const struct point *point, const struct property *property) {
  if (strcmp(property->clause, POSIX_2017) == 0) return point->clause;
  if (strcmp(point->clause, POSIX_2017) == 0) return property->clause;
  return format("%s; %s", property->clause, point->clause);
}

static void cross(const struct point *point, const char *file, const struct property *property) {
  if (!property->applies(point)) return;
  struct test_case *c = add_case();
  bool racing = strcmp(property->name, "race") == 0 || strcmp(property->name, "leak") == 0;
  snprintf(c->name, sizeof c->name, "%s/%s", point->name, property->name);
  c->title = format(property->title, point->name, "");
  c->clause = joint_clause(point, property);
  c->point = point->name;
  c->property = property->name;
  c->kind = point->kind > property->kind ? point->kind : property->kind;
  if (racing && (point->flags & POINT_EINTR_DONE)) c->kind = KIND_QUALITY;
  c->point_data = point;
  c->property_data = property;
  c->file = file;
}

static void cross_all(const struct point *points, const char *file) {
  for (const struct point *point = points; point->name != NULL; point++) {
#define POINTS(name)
#define PROPERTY(name, file_) cross(point, file, &property_##name);
#define CASES(name)
#include "tables.def"
#undef POINTS
#undef PROPERTY
#undef CASES
  }
}

static void add_table(const struct test_case *table, const char *file) {
  for (; table->title != NULL; table++) {
    struct test_case *c = add_case();
    *c = *table;
    c->file = file;
  }
}

void cases_build(void) {
#define POINTS(name) cross_all(points_##name, "points_" #name ".c");
#define PROPERTY(name, file)
#define CASES(name) add_table(cases_##name, "cases_" #name ".c");
#include "tables.def"
#undef POINTS
#undef PROPERTY
#undef CASES
  for (size_t i = 0; i < selftest_case_count; i++) *add_case() = selftest_cases[i];
}

bool case_selected(const struct test_case *test_case) {
  const char *name = test_case->name;
  bool selftest = strncmp(name, "selftest.", 9) == 0;
  if (options.filter_count == 0) return !selftest;
  for (unsigned i = 0; i < options.filter_count; i++) {
    const char *filter = options.filters[i];
    if (selftest && strncmp(filter, "selftest.", 9) != 0) continue;
    if (fnmatch(filter, name, 0) == 0 || strstr(name, filter) != NULL) return true;
  }
  return false;
}
