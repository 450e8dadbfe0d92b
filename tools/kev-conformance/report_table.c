// --format=table: points as rows and properties as columns, then what did not pass and why, then one line.
//
// Written at the end. Where the columns do not fit, they are headed by numbers that are told below. The notes are in
// report_notes.c.
#include "report_notes.h"
#include "wrap.h"

#include <string.h>

static struct grid grid;
static struct run_info run;
static bool coloured;

static void begin(FILE *out, const struct run_info *info) {
  run = *info;
  coloured = wants_colour(out);
  if (options.quiet) return;
  fprintf(out, "%s, %s on %s", info->c_library, info->kernel, info->machine);
  if (info->preload[0] != 0) fprintf(out, ", with %s preloaded", info->preload);
  fprintf(out, ": %zu cases\n", info->planned);
  fflush(out);
}

static void one_result(FILE *out, const struct test_case *test_case, const struct result *result) {
  (void)out;
  grid_add(&grid, test_case, result);
}

static void write_mark(FILE *out, const struct mark *mark, size_t columns) {
  size_t used = strlen(mark->word);
  bool colour = coloured && mark->colour[0] != 0;
  if (colour) fputs(mark->colour, out);
  fputs(mark->word, out);
  if (colour) fputs("\033[0m", out);
  if (used < columns) fprintf(out, "%*s", (int)(columns - used), "");
}

#define NARROWEST 6 // the longest mark and a blank

static size_t first_column(void) {
  size_t widest = 0;
  for (size_t i = 0; i < grid.point_count; i++)
    if (wrap_columns(grid.points[i]) > widest) widest = wrap_columns(grid.points[i]);
  return widest + 2;
}

static size_t named_column(size_t property) {
  size_t columns = wrap_columns(grid.properties[property]) + 2;
  return columns < NARROWEST ? NARROWEST : columns;
}

static bool names_fit(unsigned width) {
  size_t columns = first_column();
  for (size_t i = 0; i < grid.property_count; i++) columns += named_column(i);
  return columns <= width + 2;
}

static void write_head(FILE *out, bool named) {
  if (coloured) fputs("\033[1m", out);
  fprintf(out, "%-*s", (int)first_column(), "");
  for (size_t i = 0; i < grid.property_count; i++) {
    int columns = (int)(i + 1 == grid.property_count ? 0 : named ? named_column(i) : NARROWEST);
    if (named)
      fprintf(out, "%-*s", columns, grid.properties[i]);
    else
      fprintf(out, "%-*zu", columns, i + 1);
  }
  fputs(coloured ? "\033[0m\n" : "\n", out);
}

// The names of the numbered columns.
static void write_key(FILE *out, unsigned width) {
  char text[1000] = "";
  size_t used = 0;
  for (size_t i = 0; i < grid.property_count && used < sizeof text; i++)
    used += (size_t)snprintf(text + used, sizeof text - used, "%s%zu %s", i == 0 ? "" : ", ", i + 1,
                             grid.properties[i]);
  fputc('\n', out);
  wrap_text(out, width, 0, 0, text);
}

static void write_grid(FILE *out, unsigned width) {
  if (grid.point_count == 0) return;
  bool named = names_fit(width);
  fputc('\n', out);
  write_head(out, named);
  for (size_t row = 0; row < grid.point_count; row++) {
    fprintf(out, "%-*s", (int)first_column(), grid.points[row]);
    for (size_t i = 0; i < grid.property_count; i++) {
      const struct seen *seen = grid_cell(&grid, grid.points[row], grid.properties[i]);
      const struct mark nothing = {".", "", "\033[2m", ""};
      size_t columns = i + 1 == grid.property_count ? 0 : named ? named_column(i) : NARROWEST;
      write_mark(out, seen == NULL ? &nothing : mark_of(seen->test_case, &seen->result), columns);
    }
    fputc('\n', out);
  }
  if (!named) write_key(out, width);
}

static void write_alone(FILE *out, unsigned width) {
  size_t widest = 0;
  for (size_t i = 0; i < grid.count; i++)
    if (grid.seen[i].test_case->point == NULL && strlen(grid.seen[i].test_case->name) > widest)
      widest = strlen(grid.seen[i].test_case->name);
  if (widest > 0) fputc('\n', out);
  for (size_t i = 0; i < grid.count; i++) {
    const struct test_case *test_case = grid.seen[i].test_case;
    if (test_case->point != NULL) continue;
    write_mark(out, mark_of(test_case, &grid.seen[i].result), NARROWEST);
    fprintf(out, "%-*s", (int)widest + 2, test_case->name);
    unsigned indent = NARROWEST + (unsigned)widest + 2;
    bool roomy = width > indent + 30;
    if (!roomy) fprintf(out, "\n%*s", (int)(indent = NARROWEST), "");
    wrap_text(out, width, indent, indent, test_case->title == NULL ? "" : test_case->title);
  }
}

static void end(FILE *out, const struct totals *totals) {
  unsigned width = wrap_width(out);
  if (!options.quiet) {
    write_grid(out, width);
    write_alone(out, width);
    fputc('\n', out);
  }
  notes_write(out, &grid, width, coloured);
  notes_summary(out, &grid, &run, totals);
}

const struct report report_table = {"table", begin, one_result, end};
