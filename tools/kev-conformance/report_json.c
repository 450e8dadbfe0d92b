// --format=json: one document, a result a line, written as results come.
//
// Members: "tool", "version", "run" (what was tested), "results" (name, outcome, kind, point, property, title, clause,
// expected, seconds, message, figures), "totals". A member that does not apply is absent.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "escape.h"
#include "report.h"

static unsigned number;

static void member(FILE *out, const char *before, const char *name, const char *text) {
  if (text == NULL) return;
  fprintf(out, "%s\"%s\": ", before, name);
  escape_json(out, text);
}

static void begin(FILE *out, const struct run_info *info) {
  struct tm calendar;
  char started[32] = "";
  number = 0;
  if (gmtime_r(&info->started, &calendar) != NULL)
    strftime(started, sizeof started, "%Y-%m-%dT%H:%M:%SZ", &calendar);
  fputs("{\"tool\": \"kev-conformance\", \"version\": \"" CONFORMANCE_VERSION "\",\n\"run\": {", out);
  member(out, "", "c_library", info->c_library);
  member(out, ", ", "kernel", info->kernel);
  member(out, ", ", "machine", info->machine);
  member(out, ", ", "preload", info->preload);
  member(out, ", ", "compiler", info->compiler);
  member(out, ", ", "started", started);
  fprintf(out, ", \"has_cxx\": %s, \"has_stack\": %s, \"rounds\": %u, \"timeout\": %.3f, \"planned\": %zu",
          info->has_cxx ? "true" : "false", info->has_stack ? "true" : "false", info->rounds, info->timeout,
          info->planned);
  fputs(", \"arguments\": [", out);
  for (int i = 0; i < info->argc; i++) {
    if (i > 0) fputs(", ", out);
    escape_json(out, info->argv[i]);
  }
  fputs("]},\n\"results\": [", out);
}

static void write_figures(FILE *out, const struct figures *figures) {
  if (!figures->has_rounds && !figures->has_latency) return;
  fputs(", \"figures\": {", out);
  if (figures->has_rounds)
    fprintf(out, "\"rounds\": %u, \"lost\": %u, \"cancelled\": %u, \"data_won\": %u, \"hung\": %u", figures->rounds,
            figures->lost, figures->cancelled, figures->data_won, figures->hung);
  if (figures->has_latency)
    fprintf(out, "%s\"latency_median_us\": %.1f, \"latency_max_us\": %.1f", figures->has_rounds ? ", " : "",
            figures->latency_median_us, figures->latency_max_us);
  fputc('}', out);
}

static void one_result(FILE *out, const struct test_case *test_case, const struct result *result) {
  fputs(number++ == 0 ? "\n{" : ",\n{", out);
  member(out, "", "name", test_case->name);
  member(out, ", ", "outcome", outcome_name(result->outcome));
  member(out, ", ", "kind", kind_name(test_case->kind));
  member(out, ", ", "point", test_case->point);
  member(out, ", ", "property", test_case->property);
  member(out, ", ", "title", test_case->title);
  member(out, ", ", "clause", test_case->clause);
  fprintf(out, ", \"expected\": %s, \"seconds\": %.3f", result->expected ? "true" : "false", result->seconds);
  if (result->message[0] != 0) member(out, ", ", "message", result->message);
  write_figures(out, &result->figures);
  fputc('}', out);
  fflush(out);
}

static void end(FILE *out, const struct totals *totals) {
  fputs("\n],\n\"totals\": {", out);
  for (int outcome = 0; outcome < 6; outcome++)
    fprintf(out, "\"%s\": %u, ", outcome_name((enum outcome)outcome), totals->by_outcome[outcome]);
  fprintf(out, "\"required_failures\": %u, \"other_failures\": %u, \"expected_failures\": %u, ",
          totals->required_failures, totals->other_failures, totals->expected_failures);
  fprintf(out, "\"unexpected_passes\": %u, \"seconds\": %.3f}}\n", totals->unexpected_passes, totals->seconds);
}

const struct report report_json = {"json", begin, one_result, end};
