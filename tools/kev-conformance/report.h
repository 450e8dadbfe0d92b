// What a reporter gets: the run, one result at a time in the order of the table of cases, the end.
//
// One reporter per format, each in its file (report_table.c, report_tap.c, ...), found by name here. All calls come
// from the main thread of the parent process. `out` is buffered; a reporter does not close it. A reporter may keep
// state in statics: there is one run in a process.
#ifndef REPORT_H
#define REPORT_H

#include "conformance.h"

#include <time.h>

// What is tested, as far as it can be told. Strings are never NULL ("" if not known).
struct run_info {
  char c_library[128];  // "glibc 2.36", "musl 1.2.3"
  char kernel[144];     // "Linux 6.1.0"
  char machine[72];     // "x86_64"
  char preload[256];    // value of LD_PRELOAD
  char compiler[128];   // "gcc 12.2.0"
  bool has_cxx;         // the C++ case was built
  bool has_stack;       // the stack printer was built
  unsigned rounds;
  double timeout;
  size_t planned;       // number of results that will come
  int argc;
  char **argv;
  time_t started;
};

struct totals {
  unsigned by_outcome[6];     // indexed by enum outcome
  unsigned required_failures; // failures of KIND_REQUIRED that were not expected
  unsigned other_failures;    // failures of other kinds that were not expected
  unsigned expected_failures; // failures that --expect allows
  unsigned unexpected_passes; // cases that --expect lists and that passed
  double seconds;
};

struct report {
  const char *name; // value of --format
  void (*begin)(FILE *out, const struct run_info *info);
  void (*result)(FILE *out, const struct test_case *test_case, const struct result *result);
  void (*end)(FILE *out, const struct totals *totals);
};

extern const struct report report_table;
extern const struct report report_tap;
extern const struct report report_junit;
extern const struct report report_json;
extern const struct report report_html;
extern const struct report report_lines; // for --compare and for scripts

// NULL if there is no such format. In run.c.
const struct report *report_find(const char *name);

#endif
