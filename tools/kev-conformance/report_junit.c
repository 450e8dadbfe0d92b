// --format=junit: one JUnit document, a <testsuite> with a <testcase> for each case.
//
// Written at the end, for its counts stand in its first tag. <failure> is what the exit status tells of: failures that
// a standard forbids and that nobody expects. Other failures are <skipped>, with a message that says what they are.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "escape.h"
#include "grid.h"
#include "report.h"

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

static void attribute(FILE *out, const char *name, const char *value) {
  fprintf(out, " %s=\"", name);
  escape_xml(out, value);
  fputc('"', out);
}

static void property(FILE *out, const char *name, const char *value) {
  fputs("      <property", out);
  attribute(out, "name", name);
  attribute(out, "value", value);
  fputs("/>\n", out);
}

static bool is_skipped(const struct seen *seen) {
  enum outcome outcome = seen->result.outcome;
  return outcome == OUTCOME_SKIP || outcome == OUTCOME_NOT_BUILT ||
         (outcome_is_failure(outcome) && !seen_is_required_failure(seen));
}

static void write_failure(FILE *out, const struct seen *seen) {
  fputs("      <failure", out);
  attribute(out, "type", outcome_name(seen->result.outcome));
  attribute(out, "message", seen->result.message);
  fputc('>', out);
  if (seen->test_case->title != NULL) escape_xml(out, seen->test_case->title);
  if (seen->test_case->clause != NULL) {
    fputs(" (", out);
    escape_xml(out, seen->test_case->clause);
    fputc(')', out);
  }
  fputs("</failure>\n", out);
}

static void write_skipped(FILE *out, const struct seen *seen) {
  const char *reason = seen->result.expected ? expect_reason(seen->test_case->name) : NULL;
  char message[MESSAGE_SIZE + 300];
  if (!outcome_is_failure(seen->result.outcome))
    snprintf(message, sizeof message, "%s", seen->result.message);
  else if (seen->result.expected)
    snprintf(message, sizeof message, "expected failure%s%.200s: %s", reason != NULL && *reason != 0 ? ", " : "",
             reason == NULL ? "" : reason, seen->result.message);
  else
    snprintf(message, sizeof message, "fails, which no standard forbids: %s", seen->result.message);
  fputs("      <skipped", out);
  attribute(out, "message", message);
  fputs("/>\n", out);
}

static void write_case(FILE *out, const struct seen *seen) {
  const struct test_case *test_case = seen->test_case;
  char figures[200];
  figures_full(figures, sizeof figures, &seen->result.figures);
  fputs("    <testcase", out);
  attribute(out, "name", test_case->name);
  char class[128];
  snprintf(class, sizeof class, "kev-conformance.%s", test_case->property == NULL ? "alone" : test_case->property);
  attribute(out, "classname", class);
  fprintf(out, " time=\"%.3f\">\n", seen->result.seconds);
  if (seen_is_required_failure(seen))
    write_failure(out, seen);
  else if (is_skipped(seen))
    write_skipped(out, seen);
  if (figures[0] != 0 || seen->result.outcome == OUTCOME_INFO) {
    fputs("      <system-out>", out);
    if (seen->result.outcome == OUTCOME_INFO) {
      escape_xml(out, seen->result.message);
      fputc(' ', out);
    }
    escape_xml(out, figures);
    fputs("</system-out>\n", out);
  }
  fputs("    </testcase>\n", out);
}

static void end(FILE *out, const struct totals *totals) {
  struct tm calendar;
  char started[32] = "";
  size_t failures = 0, skipped = 0;
  if (gmtime_r(&run.started, &calendar) != NULL) strftime(started, sizeof started, "%Y-%m-%dT%H:%M:%S", &calendar);
  for (size_t i = 0; i < grid.count; i++) {
    failures += seen_is_required_failure(&grid.seen[i]);
    skipped += is_skipped(&grid.seen[i]);
  }
  fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", out);
  fprintf(out, "<testsuites tests=\"%zu\" failures=\"%zu\" errors=\"0\" time=\"%.3f\">\n", grid.count, failures,
          totals->seconds);
  fputs("  <testsuite name=\"kev-conformance\"", out);
  fprintf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"%zu\" time=\"%.3f\" timestamp=\"%s\">\n",
          grid.count, failures, skipped, totals->seconds, started);
  fputs("    <properties>\n", out);
  property(out, "c_library", run.c_library);
  property(out, "kernel", run.kernel);
  property(out, "machine", run.machine);
  property(out, "preload", run.preload);
  property(out, "compiler", run.compiler);
  fputs("    </properties>\n", out);
  for (size_t i = 0; i < grid.count; i++) write_case(out, &grid.seen[i]);
  fputs("  </testsuite>\n</testsuites>\n", out);
}

const struct report report_junit = {"junit", begin, one_result, end};
