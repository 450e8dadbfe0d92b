// --format=html: one page with the points by the properties, what the properties mean, the messages, and the figures.
//
// Written at the end. The frame and the style sheet are in html.c.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "escape.h"
#include "html.h"
#include "report.h"

#include <stdlib.h>
#include <string.h>

static struct grid grid;
static struct run_info run;

static void begin(FILE *out, const struct run_info *info) {
  (void)out;
  run = *info;
}

static void one_result(FILE *out, const struct test_case *test_case, const struct result *result) {
  (void)out;
  grid_add(&grid, test_case, result);
}

static void text_cell(FILE *out, const char *text) {
  fputs("<td>", out);
  if (text != NULL) escape_xml(out, text);
  fputs("</td>", out);
}

static void name_cell(FILE *out, const char *name) {
  fputs("<th scope=\"row\">", out);
  html_name(out, name);
  fputs("</th>", out);
}

// Whether the case has a row among the messages.
static bool has_message(const struct seen *seen) {
  return seen->result.outcome != OUTCOME_PASS;
}

static void write_facts(FILE *out, const struct totals *totals) {
  char text[4096] = "";
  struct tm calendar;
  fputs("<dl class=\"facts\">\n", out);
  html_fact(out, "C library", run.c_library);
  html_fact(out, "Kernel", run.kernel);
  html_fact(out, "Machine", run.machine);
  html_fact(out, "LD_PRELOAD", run.preload);
  html_fact(out, "Compiler", run.compiler);
  if (gmtime_r(&run.started, &calendar) != NULL) strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &calendar);
  html_fact(out, "Started", text);
  snprintf(text, sizeof text, "%zu cases in %.1f s, %u racing rounds each, at most %.0f s a case", grid.count,
           totals->seconds, run.rounds, run.timeout);
  html_fact(out, "Run", text);
  size_t used = 0;
  text[0] = 0;
  for (int i = 0; i < run.argc && used < sizeof text - 1; i++)
    used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? " " : "", run.argv[i]);
  html_fact(out, "Command", text);
  fputs("</dl>\n", out);
}

static void write_marks(FILE *out) {
  unsigned count[MARK_COUNT] = {0};
  for (size_t i = 0; i < grid.count; i++) count[mark_of(grid.seen[i].test_case, &grid.seen[i].result) - marks]++;
  html_legend(out, count);
}

static void write_result_cell(FILE *out, const struct seen *seen) {
  char brief[64], figures[200], hint[MESSAGE_SIZE + 300], target[80];
  figures_brief(brief, sizeof brief, &seen->result.figures);
  figures_full(figures, sizeof figures, &seen->result.figures);
  snprintf(hint, sizeof hint, "%s: %s%s%s", seen->test_case->name, seen->result.message,
           seen->result.message[0] != 0 && figures[0] != 0 ? " - " : "", figures);
  snprintf(target, sizeof target, "case-%s", seen->test_case->name);
  html_cell(out, mark_of(seen->test_case, &seen->result), brief, hint, has_message(seen) ? target : NULL);
}

// The heads of the columns: an empty corner, then links to what the properties mean. Freed by the caller.
static char *property_heads(void) {
  char *heads = NULL;
  size_t size;
  FILE *text = open_memstream(&heads, &size);
  if (text == NULL) return NULL;
  for (size_t i = 0; i < grid.property_count; i++)
    fprintf(text, "|<a class=\"in\" href=\"#property-%s\">%s</a>", grid.properties[i], grid.properties[i]);
  fclose(text);
  return heads;
}

static void write_grid(FILE *out) {
  char *heads = grid.point_count == 0 ? NULL : property_heads();
  if (heads == NULL) return;
  fputs("<h2>Points and properties</h2>\n", out);
  html_table_open(out, "grid", "Points and properties",
                  "A row for each cancellation point, a column for each property. A mark that is a link leads to its "
                  "message; hover over a cell for its figures.", heads);
  free(heads);
  for (size_t row = 0; row < grid.point_count; row++) {
    fputs("<tr>", out);
    name_cell(out, grid.points[row]);
    for (size_t i = 0; i < grid.property_count; i++) {
      const struct seen *seen = grid_cell(&grid, grid.points[row], grid.properties[i]);
      if (seen == NULL)
        fputs("<td class=\"none\"><span aria-label=\"does not apply\">&middot;</span></td>", out);
      else
        write_result_cell(out, seen);
    }
    fputs("</tr>\n", out);
  }
  html_table_close(out);
}

static void write_properties(FILE *out) {
  if (grid.property_count == 0) return;
  fputs("<h2>What the properties mean</h2>\n", out);
  html_table_open(out, "list", "Properties", "", "Property|What holds|Source");
  for (size_t i = 0; i < grid.property_count; i++) {
    const struct seen *first = grid_first(&grid, grid.properties[i]);
    char title[300];
    property_title(title, sizeof title, first->test_case);
    fputs("<tr id=\"property-", out);
    escape_xml(out, grid.properties[i]);
    fputs("\">", out);
    name_cell(out, grid.properties[i]);
    text_cell(out, title);
    text_cell(out, property_clause(first->test_case));
    fputs("</tr>\n", out);
  }
  html_table_close(out);
}

static void write_alone(FILE *out) {
  bool open = false;
  for (size_t i = 0; i < grid.count; i++) {
    const struct seen *seen = &grid.seen[i];
    if (seen->test_case->point != NULL) continue;
    if (!open) {
      fputs("<h2>Cases that stand alone</h2>\n", out);
      html_table_open(out, "list", "Cases that stand alone", "", "Case|Result|What holds|Source");
    }
    open = true;
    fputs("<tr>", out);
    name_cell(out, seen->test_case->name);
    write_result_cell(out, seen);
    text_cell(out, seen->test_case->title);
    text_cell(out, seen->test_case->clause);
    fputs("</tr>\n", out);
  }
  if (open) html_table_close(out);
}

static void write_message(FILE *out, const struct seen *seen) {
  const struct test_case *test_case = seen->test_case;
  const char *reason = seen->result.expected ? expect_reason(test_case->name) : NULL;
  fputs("<tr id=\"case-", out);
  escape_xml(out, test_case->name);
  fputs("\">", out);
  name_cell(out, test_case->name);
  html_cell(out, mark_of(test_case, &seen->result), "", "", NULL);
  fputs("<td>", out);
  escape_xml(out, seen->result.message[0] == 0 ? "(no message)" : seen->result.message);
  if (reason != NULL && *reason != 0) {
    fputs("<br><span class=\"kind\">expected: ", out);
    escape_xml(out, reason);
    fputs("</span>", out);
  }
  fputs("</td><td>", out);
  if (test_case->clause != NULL) escape_xml(out, test_case->clause);
  fprintf(out, " <span class=\"kind\">(%s)</span></td></tr>\n", kind_name(test_case->kind));
}

// Failures stand first.
static void write_messages(FILE *out) {
  bool open = false;
  for (int pass = 0; pass < 2; pass++) {
    for (size_t i = 0; i < grid.count; i++) {
      const struct seen *seen = &grid.seen[i];
      if (!has_message(seen) || outcome_is_failure(seen->result.outcome) != (pass == 0)) continue;
      if (!open) {
        fputs("<h2>What did not pass</h2>\n<p><code>kev-conformance --source CASE</code> prints a program that "
              "reproduces a case.</p>\n", out);
        html_table_open(out, "list", "What did not pass", "", "Case|Result|Message|Source");
      }
      open = true;
      write_message(out, seen);
    }
  }
  if (open) html_table_close(out);
}

static void write_figures(FILE *out) {
  fputs("<h2>Figures</h2>\n<details><summary>Rounds and times of every case</summary>\n", out);
  html_table_open(out, "num", "Figures",
                  "Lost: the effect happened and the thread was cancelled all the same. The time is from the "
                  "cancellation to the end of the thread.",
                  "Case|Rounds|Cancelled|Returned|Lost|Hung|Median, &micro;s|Most, &micro;s|Took, s");
  for (size_t i = 0; i < grid.count; i++) {
    const struct figures *figures = &grid.seen[i].result.figures;
    fputs("<tr>", out);
    name_cell(out, grid.seen[i].test_case->name);
    if (figures->has_rounds)
      fprintf(out, "<td>%u</td><td>%u</td><td>%u</td><td%s>%u</td><td>%u</td>", figures->rounds, figures->cancelled,
              figures->data_won, figures->lost > 0 ? " class=\"less\"" : "", figures->lost, figures->hung);
    else
      fputs("<td></td><td></td><td></td><td></td><td></td>", out);
    if (figures->has_latency)
      fprintf(out, "<td>%.0f</td><td>%.0f</td>", figures->latency_median_us, figures->latency_max_us);
    else
      fputs("<td></td><td></td>", out);
    fprintf(out, "<td>%.2f</td></tr>\n", grid.seen[i].result.seconds);
  }
  html_table_close(out);
  fputs("</details>\n", out);
}

static void end(FILE *out, const struct totals *totals) {
  char verdict[300];
  if (totals->required_failures > 0)
    snprintf(verdict, sizeof verdict, "%s: %u of %zu cases show what a standard forbids.", run.c_library,
             totals->required_failures, grid.count);
  else
    snprintf(verdict, sizeof verdict, "%s: none of %zu cases shows what a standard forbids%s.", run.c_library,
             grid.count, totals->expected_failures > 0 ? ", beyond the known failures" : "");
  html_open(out, "Thread cancellation: conformance", verdict, totals->required_failures == 0);
  write_facts(out, totals);
  write_marks(out);
  write_grid(out);
  write_alone(out);
  write_messages(out);
  write_properties(out);
  write_figures(out);
  html_close(out);
}

const struct report report_html = {"html", begin, one_result, end};
