// kev-conformance: tests thread cancellation and the event waits of the system it runs on. Linked against nothing of
// libkev, so that it says the same of plain glibc, of glibc with libkev preloaded, and of musl.
//
// Build without Meson: cc -std=c11 -pthread -o kev-conformance tools/kev-conformance/*.c
#define _GNU_SOURCE 1
#include "command_line.h"

#include <errno.h>
#include <string.h>

static int list_cases(void) {
  for (size_t i = 0; i < case_count; i++) {
    if (!case_selected(&cases[i])) continue;
    printf("%-34s %-8s  %s\n", cases[i].name, kind_name(cases[i].kind), cases[i].title);
  }
  return 0;
}

static int run_with(FILE *out, int argc, char **argv) {
  const struct report *report = report_find(options.format);
  if (options.compare_count > 0) return compare_run(&options, out);
  if (report == NULL) {
    fprintf(stderr, "kev-conformance: --format: there is no format %s\n", options.format);
    return 2;
  }
  if (options.expect != NULL && !expect_load(options.expect, stderr)) return 2;
  return run_all(report, out, argc, argv);
}

int main(int argc, char **argv) {
  if (!options_parse(argc, argv)) return 2;
  if (options.help) {
    options_print_help(stdout);
    return 0;
  }
  if (options.version) {
    printf("kev-conformance %s\n", CONFORMANCE_VERSION);
    return 0;
  }
  if (options.loader != NULL) return loader_exec(&options);
  cases_build();
  if (options.list) return list_cases();
  if (options.source != NULL) return source_print(options.source, stdout);
  if (options.output == NULL) return run_with(stdout, argc, argv);
  FILE *out = fopen(options.output, "we");
  if (out == NULL) {
    fprintf(stderr, "kev-conformance: %s: %s\n", options.output, strerror(errno));
    return 2;
  }
  int status = run_with(out, argc, argv);
  if (fclose(out) != 0) {
    fprintf(stderr, "kev-conformance: %s: %s\n", options.output, strerror(errno));
    return 2;
  }
  return status;
}
