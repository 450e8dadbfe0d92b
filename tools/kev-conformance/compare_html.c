// The comparison as a page: the sides and their counts, then the cases that differ, then all.
#include "compare.h"
#include "escape.h"
#include "html.h"

#include <string.h>

static void write_sides(FILE *out, const struct comparison *comparison) {
  html_table_open(out, "num sides", "Sides", "The sides; better and worse than the first.",
                  "Side|What it is|Passed|Failed|Not tried|Better|Worse");
  for (size_t i = 0; i < comparison->side_count; i++) {
    const struct side *side = &comparison->sides[i];
    struct side_counts counts = compare_counts(comparison, i);
    fputs("<tr><th scope=\"row\">", out);
    escape_xml(out, side->label);
    fputs("</th><td>", out);
    escape_xml(out, side->missing[0] != 0 ? side->missing : side->c_library);
    if (side->preload[0] != 0) {
      fputs("<br><span class=\"kind\">with ", out);
      escape_xml(out, side->preload);
      fputs("</span>", out);
    }
    fputs("</td>", out);
    if (side->missing[0] != 0)
      fputs("<td colspan=\"5\">no results</td>", out);
    else if (i == 0)
      fprintf(out, "<td>%u</td><td>%u</td><td>%u</td><td></td><td></td>", counts.passed, counts.failed,
              counts.untried);
    else
      fprintf(out, "<td>%u</td><td>%u</td><td>%u</td><td>%u</td><td>%u</td>", counts.passed, counts.failed,
              counts.untried, counts.better, counts.worse);
    fputs("</tr>\n", out);
  }
  html_table_close(out);
}

static void write_row(FILE *out, const struct comparison *comparison, const char *name) {
  char note[256];
  fputs("<tr><th scope=\"row\">", out);
  html_name(out, name);
  fputs("</th>", out);
  for (size_t i = 0; i < comparison->side_count; i++) {
    const struct outcome_row *row = side_row(&comparison->sides[i], name);
    char brief[64];
    if (comparison->sides[i].missing[0] != 0) continue;
    if (row == NULL) {
      fputs("<td class=\"none\"><span aria-label=\"not known\">&middot;</span></td>", out);
      continue;
    }
    figures_brief(brief, sizeof brief, &row->result.figures);
    html_cell(out, mark_of(&row->test_case, &row->result), brief, row->result.message, NULL);
  }
  compare_note(note, sizeof note, comparison, name);
  fputs("<td class=\"note\">", out);
  escape_xml(out, note);
  fputs("</td></tr>\n", out);
}

static void write_table(FILE *out, const struct comparison *comparison, const char *caption, bool differing) {
  char columns[COMPARE_SIDES_MAX * (COMPARE_LABEL_SIZE + 1) + 32] = "Case";
  for (size_t i = 0; i < comparison->side_count; i++) {
    size_t used = strlen(columns);
    if (comparison->sides[i].missing[0] == 0)
      snprintf(columns + used, sizeof columns - used, "|%s", comparison->sides[i].label);
  }
  strcat(columns, "|Difference");
  html_table_open(out, "grid", caption, caption, columns);
  for (size_t i = 0; i < comparison->name_count; i++)
    if (!differing || compare_differs(comparison, comparison->names[i]))
      write_row(out, comparison, comparison->names[i]);
  html_table_close(out);
}

static void write_marks(FILE *out, const struct comparison *comparison) {
  unsigned count[MARK_COUNT] = {0};
  for (size_t i = 0; i < comparison->side_count; i++)
    for (size_t k = 0; k < comparison->sides[i].count; k++) {
      const struct outcome_row *row = &comparison->sides[i].rows[k];
      count[mark_of(&row->test_case, &row->result) - marks]++;
    }
  html_legend(out, count);
}

void compare_html(FILE *out, const struct comparison *comparison) {
  char verdict[800];
  unsigned differing = 0, worse = 0;
  size_t used = 0;
  for (size_t i = 0; i < comparison->name_count; i++) differing += compare_differs(comparison, comparison->names[i]);
  used += (size_t)snprintf(verdict, sizeof verdict, "%u of %zu cases differ", differing, comparison->name_count);
  for (size_t i = 1; i < comparison->side_count; i++) {
    struct side_counts counts = compare_counts(comparison, i);
    if (comparison->sides[i].missing[0] != 0) continue;
    used += (size_t)snprintf(verdict + used, sizeof verdict - used, "; %s does %u better and %u worse than %s",
                             comparison->sides[i].label, counts.better, counts.worse, comparison->sides[0].label);
    worse += counts.worse;
  }
  snprintf(verdict + used, sizeof verdict - used, ".");
  html_open(out, "Thread cancellation: a comparison", verdict, worse == 0);
  write_sides(out, comparison);
  write_marks(out, comparison);
  if (differing > 0) {
    fputs("<h2>What differs</h2>\n", out);
    write_table(out, comparison, "Cases that differ", true);
  }
  fputs("<h2>All cases</h2>\n<details><summary>Every case on every side</summary>\n", out);
  write_table(out, comparison, "All cases", false);
  fputs("</details>\n", out);
  html_close(out);
}
