// The comparison for a terminal: a row for each case that some side does not pass, a column for each side, and how the
// sides differ from the first one. With --quiet, only rows that differ.
#include "compare.h"
#include "grid.h"
#include "wrap.h"

#include <string.h>

#define MARK_COLUMNS 6

static size_t column_of(const struct comparison *comparison, size_t side) {
  size_t columns = strlen(comparison->sides[side].label) + 2;
  for (size_t i = 0; i < comparison->sides[side].count; i++) {
    char brief[64];
    figures_brief(brief, sizeof brief, &comparison->sides[side].rows[i].result.figures);
    if (strlen(brief) + MARK_COLUMNS + 2 > columns) columns = strlen(brief) + MARK_COLUMNS + 2;
  }
  return columns < MARK_COLUMNS + 2 ? MARK_COLUMNS + 2 : columns;
}

static void write_sides(FILE *out, const struct comparison *comparison, unsigned width) {
  for (size_t i = 0; i < comparison->side_count; i++) {
    const struct side *side = &comparison->sides[i];
    char text[800];
    if (side->missing[0] != 0)
      snprintf(text, sizeof text, "not there: %s", side->missing);
    else
      snprintf(text, sizeof text, "%s%s%s", side->c_library, side->preload[0] != 0 ? ", with " : "", side->preload);
    fprintf(out, "%-10s  ", side->label);
    wrap_text(out, width, strlen(side->label) < 10 ? 12 : strlen(side->label) + 2, 12, text);
  }
}

static void write_cell(FILE *out, const struct outcome_row *row, size_t columns, bool coloured) {
  char brief[64] = "";
  const char *word = ".", *colour = "";
  if (row != NULL) {
    const struct mark *mark = mark_of(&row->test_case, &row->result);
    figures_brief(brief, sizeof brief, &row->result.figures);
    word = mark->word;
    colour = coloured ? mark->colour : "";
  }
  fprintf(out, "%s%s%s%*s", colour, word, colour[0] != 0 ? "\033[0m" : "", (int)(MARK_COLUMNS - strlen(word)), "");
  fprintf(out, "%-*s", (int)(columns - MARK_COLUMNS), brief);
}

void compare_table(FILE *out, const struct comparison *comparison) {
  bool coloured = wants_colour(out);
  unsigned width = wrap_width(out);
  size_t first = 6, hidden = 0;
  for (size_t i = 0; i < comparison->name_count; i++)
    if (strlen(comparison->names[i]) + 2 > first) first = strlen(comparison->names[i]) + 2;
  write_sides(out, comparison, width);
  fprintf(out, "\n%-*s", (int)first, "case");
  for (size_t i = 0; i < comparison->side_count; i++)
    if (comparison->sides[i].missing[0] == 0)
      fprintf(out, "%-*s", (int)column_of(comparison, i), comparison->sides[i].label);
  fputs("difference\n", out);
  for (size_t i = 0; i < comparison->name_count; i++) {
    const char *name = comparison->names[i];
    if (compare_all_pass(comparison, name) || (options.quiet && !compare_differs(comparison, name))) {
      hidden++;
      continue;
    }
    char note[256];
    fprintf(out, "%-*s", (int)first, name);
    for (size_t k = 0; k < comparison->side_count; k++)
      if (comparison->sides[k].missing[0] == 0)
        write_cell(out, side_row(&comparison->sides[k], name), column_of(comparison, k), coloured);
    compare_note(note, sizeof note, comparison, name);
    fprintf(out, "%s\n", note);
  }
  if (hidden > 0)
    fprintf(out, "%zu cases that %s are not shown\n", hidden, options.quiet ? "do not differ" : "pass on every side");
  fputc('\n', out);
  for (size_t i = 0; i < comparison->side_count; i++) {
    const struct side *side = &comparison->sides[i];
    struct side_counts counts = compare_counts(comparison, i);
    if (side->missing[0] != 0) continue;
    fprintf(out, "%-10s  %4u passed  %4u failed  %4u not tried", side->label, counts.passed, counts.failed,
            counts.untried);
    if (i > 0)
      fprintf(out, "  %4u better  %4u worse than %s", counts.better, counts.worse, comparison->sides[0].label);
    fputc('\n', out);
  }
}
