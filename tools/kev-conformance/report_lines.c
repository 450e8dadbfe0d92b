// --format=lines: fields with a tabulator between, for shell scripts and for --compare. Not in the manual's list of
// formats for people.
//
//   run   <name> <value>                                      what was tested, one fact a line
//   case  <name> <outcome> <kind> <rounds> <lost> <hung> <seconds> <message>    "-" for a figure that there is not
//   end   <number of cases>
#include "escape.h"
#include "report.h"

static unsigned number;

static void fact(FILE *out, const char *name, const char *value) {
  fprintf(out, "run\t%s\t%s\n", name, value);
}

static void begin(FILE *out, const struct run_info *info) {
  number = 0;
  fact(out, "c_library", info->c_library);
  fact(out, "kernel", info->kernel);
  fact(out, "machine", info->machine);
  fact(out, "preload", info->preload);
  fprintf(out, "run\tplanned\t%zu\n", info->planned);
  fflush(out);
}

static void one_result(FILE *out, const struct test_case *test_case, const struct result *result) {
  const struct figures *figures = &result->figures;
  fprintf(out, "case\t%s\t%s\t%s", test_case->name, outcome_name(result->outcome), kind_name(test_case->kind));
  if (figures->has_rounds)
    fprintf(out, "\t%u\t%u\t%u", figures->rounds, figures->lost, figures->hung);
  else
    fputs("\t-\t-\t-", out);
  fprintf(out, "\t%.3f\t", result->seconds);
  escape_line(out, result->message, sizeof result->message);
  fputc('\n', out);
  fflush(out);
  number++;
}

static void end(FILE *out, const struct totals *totals) {
  (void)totals;
  fprintf(out, "end\t%u\n", number);
}

const struct report report_lines = {"lines", begin, one_result, end};
