// Text for people on a terminal: how wide it is, and paragraphs folded to that width.
#ifndef WRAP_H
#define WRAP_H

#include <stddef.h>
#include <stdio.h>

// Columns of the terminal behind `out`, else of the variable COLUMNS, else 100. At least 40.
unsigned wrap_width(FILE *out);

// The columns that a text takes, counting one for each code point.
size_t wrap_columns(const char *text);

// Writes `text` at the current position, which is column `at`, and folds it at blanks; further lines begin at column
// `indent`. Ends the line. A word that is longer than a line stays whole.
void wrap_text(FILE *out, unsigned width, size_t at, unsigned indent, const char *text);

#endif
