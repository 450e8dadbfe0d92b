// The results of a run, kept until its end and arranged as points by properties.
//
// For the reporters that cannot write a line the moment it is known (the table, the page, JUnit). Rows and columns
// stand in the order in which they were first met. Case pointers are kept, not copied: the table of cases does not
// move.
#ifndef GRID_H
#define GRID_H

#include "conformance.h"

struct seen {
  const struct test_case *test_case;
  struct result result;
};

struct grid {
  struct seen *seen;
  size_t count, room;
  const char **points;
  size_t point_count;
  const char **properties;
  size_t property_count;
};

// Ends the program with a message if memory is short.
void grid_add(struct grid *grid, const struct test_case *test_case, const struct result *result);

// NULL if the point was not tried for that property.
const struct seen *grid_cell(const struct grid *grid, const char *point, const char *property);

// The first result with that property, from which its kind and clause can be told.
const struct seen *grid_first(const struct grid *grid, const char *property);

// What the property of the case says of any point, and where that is written. For a case that stands alone, its own.
void property_title(char *text, size_t size, const struct test_case *test_case);
const char *property_clause(const struct test_case *test_case);

// Equal, or both NULL.
bool same_name(const char *a, const char *b);

// A failure that a standard forbids and that --expect does not allow: the only kind that the exit status tells of.
bool seen_is_required_failure(const struct seen *seen);

// What the figures say, in a few words ("3 of 1000 lost"); empty if there is nothing that is worth a word.
void figures_brief(char *text, size_t size, const struct figures *figures);

// All figures on one line.
void figures_full(char *text, size_t size, const struct figures *figures);

#endif
