// The short word, the colour and the meaning of what came of a case: the same in every report for people.
#ifndef MARK_H
#define MARK_H

#include "conformance.h"

struct mark {
  const char *word;    // at most five characters
  const char *style;   // class of the page's style sheet
  const char *colour;  // escape sequence of a terminal; "" for none
  const char *meaning; // a clause, for the legend
};

#define MARK_COUNT 8
extern const struct mark marks[MARK_COUNT];

const struct mark *mark_of(const struct test_case *test_case, const struct result *result);

// Whether a terminal behind `out` is to get colours: it is one, it is not a dumb one, and NO_COLOR is not set.
bool wants_colour(FILE *out);

#endif
