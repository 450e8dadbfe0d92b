// --compare: the same cases on several *sides*, next to each other.
//
// A side is this program as it is, under kev-run, built with musl, with a library preloaded, or another program or an
// earlier report in the format `lines`. The first side is what the others are held against.
#ifndef COMPARE_H
#define COMPARE_H

#include "conformance.h"
#include "mark.h"

#define COMPARE_SIDES_MAX 8
#define COMPARE_LABEL_SIZE 24

// What one side says of one case. Of the case only name and kind are known.
struct outcome_row {
  struct test_case test_case;
  struct result result;
};

struct side {
  char label[COMPARE_LABEL_SIZE];
  char c_library[128];
  char preload[256];
  char missing[400]; // why there are no results; empty if there are
  struct outcome_row *rows;
  size_t count, room;
};

struct comparison {
  struct side sides[COMPARE_SIDES_MAX];
  size_t side_count;
  const char **names; // every case that a side told of
  size_t name_count;
};

enum difference { DIFFERENCE_NONE, DIFFERENCE_BETTER, DIFFERENCE_WORSE, DIFFERENCE_OTHER };

// NULL if the side does not know the case.
const struct outcome_row *side_row(const struct side *side, const char *name);

// How a side differs from the first one in a case. OTHER: it is not known or not tried on one of them.
enum difference compare_difference(const struct comparison *comparison, size_t side, const char *name);
bool compare_differs(const struct comparison *comparison, const char *name); // on any side
bool compare_all_pass(const struct comparison *comparison, const char *name);

struct side_counts {
  unsigned passed, failed, untried, better, worse;
};
struct side_counts compare_counts(const struct comparison *comparison, size_t side);

// The last column of a row: "kev-run better, musl better"; empty if all are alike.
void compare_note(char *text, size_t size, const struct comparison *comparison, const char *name);

// compare_side.c. Fills in a side from what the user named; on failure `missing` says why.
void side_collect(struct side *side, const char *what, const struct options *given);

// compare_read.c. Reads the format `lines` until its end. False: the report broke off.
bool side_read(struct side *side, FILE *in);

// compare_musl.c. Builds this program with musl-gcc in a new temporary folder and stores its path. False: `missing`
// says why. `musl_remove` takes the folder away.
bool musl_build(char *path, size_t size, const struct options *given, char *missing, size_t missing_size);
void musl_remove(const char *path);

void compare_table(FILE *out, const struct comparison *comparison);
void compare_html(FILE *out, const struct comparison *comparison);
void compare_json(FILE *out, const struct comparison *comparison);

#endif
