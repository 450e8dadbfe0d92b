// --format=tap: the Test Anything Protocol, version 14, one test point a case, written as results come.
//
// The directives follow the exit status: a failure that --expect allows, and one that no standard demands, are TODO,
// which a harness shows and does not count.
#include "escape.h"
#include "report.h"

#include <string.h>

static unsigned number;

static void begin(FILE *out, const struct run_info *info) {
  number = 0;
  fprintf(out, "TAP version 14\n1..%zu\n", info->planned);
  fprintf(out, "# %s, %s, %s, LD_PRELOAD '%s'\n", info->c_library, info->kernel, info->machine, info->preload);
  fflush(out);
}

// In a description and a reason, '#' opens a directive and '\' escapes it.
static void write_text(FILE *out, const char *text) {
  for (size_t length; *text != 0; text += length) {
    length = strcspn(text, "#\\");
    escape_line(out, text, length);
    if (text[length] != 0) fprintf(out, "\\%c", text[length++]);
  }
}

static void write_directive(FILE *out, const struct test_case *test_case, const struct result *result) {
  if (result->outcome == OUTCOME_SKIP || result->outcome == OUTCOME_NOT_BUILT) {
    fputs(" # SKIP ", out);
    write_text(out, result->message[0] == 0 ? outcome_name(result->outcome) : result->message);
  } else if (outcome_is_failure(result->outcome) && result->expected) {
    const char *reason = expect_reason(test_case->name);
    fputs(" # TODO expected", out);
    if (reason != NULL && *reason != 0) fputs(": ", out);
    write_text(out, reason == NULL ? "" : reason);
  } else if (outcome_is_failure(result->outcome) && test_case->kind != KIND_REQUIRED) {
    fputs(" # TODO no standard demands it", out);
  }
}

// JSON strings are strings of YAML, whatever is in them.
static void write_field(FILE *out, const char *name, const char *text) {
  fprintf(out, "  %s: ", name);
  escape_json(out, text);
  fputc('\n', out);
}

static void write_details(FILE *out, const struct test_case *test_case, const struct result *result) {
  const struct figures *figures = &result->figures;
  fputs("  ---\n", out);
  if (result->message[0] != 0) write_field(out, "message", result->message);
  write_field(out, "outcome", outcome_name(result->outcome));
  write_field(out, "kind", kind_name(test_case->kind));
  if (test_case->title != NULL) write_field(out, "holds", test_case->title);
  if (test_case->clause != NULL) write_field(out, "clause", test_case->clause);
  if (figures->has_rounds)
    fprintf(out, "  rounds: %u\n  lost: %u\n  cancelled: %u\n  data_won: %u\n  hung: %u\n", figures->rounds,
            figures->lost, figures->cancelled, figures->data_won, figures->hung);
  if (figures->has_latency)
    fprintf(out, "  latency_median_us: %.1f\n  latency_max_us: %.1f\n", figures->latency_median_us,
            figures->latency_max_us);
  fprintf(out, "  duration_ms: %.1f\n  ...\n", result->seconds * 1e3);
}

static void one_result(FILE *out, const struct test_case *test_case, const struct result *result) {
  bool failed = outcome_is_failure(result->outcome);
  fprintf(out, "%s %u - %s", failed ? "not ok" : "ok", ++number, test_case->name);
  write_directive(out, test_case, result);
  fputc('\n', out);
  if (failed || result->outcome == OUTCOME_INFO || result->figures.has_rounds || result->figures.has_latency)
    write_details(out, test_case, result);
  fflush(out);
}

static void end(FILE *out, const struct totals *totals) {
  fprintf(out, "# %u failures that a standard forbids, %u others, %u expected, %u unexpected passes, %.1f s\n",
          totals->required_failures, totals->other_failures, totals->expected_failures, totals->unexpected_passes,
          totals->seconds);
}

const struct report report_tap = {"tap", begin, one_result, end};
