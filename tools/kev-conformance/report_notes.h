// What the table cannot hold: the cases that did not pass, with their messages, and the line at the end.
#ifndef REPORT_NOTES_H
#define REPORT_NOTES_H

#include "grid.h"
#include "mark.h"
#include "report.h"

// Failures first, those of one property together under what should hold and its clause; then, unless --quiet, what was
// seen without being good or bad, and why cases were skipped.
void notes_write(FILE *out, const struct grid *grid, unsigned width, bool coloured);

void notes_summary(FILE *out, const struct grid *grid, const struct run_info *run, const struct totals *totals);

#endif
