// What the parts of kev-conformance share: the vocabulary (kinds, outcomes, figures, cases) and the entry points.
//
// A *point* is one cancellation point (point.h), a *property* is something that holds for every point (property.h),
// a *case* is a point crossed with a property, or stands alone. Every case runs in a process of its own (run.c).
// The program links against nothing of libkev: it tests the system it runs on.
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include "embed.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define CONFORMANCE_VERSION "0.1.0"

// How binding a case is. Only failures of KIND_REQUIRED make the exit status 1.
enum kind {
  KIND_REQUIRED, // a standard demands it (POSIX, ISO C)
  KIND_EXTRA,    // a documented extension, or what the standard permits without demanding it
  KIND_QUALITY,  // no document demands it; a good implementation does it
};

enum outcome {
  OUTCOME_PASS,
  OUTCOME_FAIL,
  OUTCOME_SKIP,      // cannot be tried on this machine; the message says why
  OUTCOME_INFO,      // neither good nor bad: the message tells what was seen (e.g. both sides did not win often enough)
  OUTCOME_NOT_BUILT, // the case needs a part that was not compiled in, or a call that this C library lacks
  OUTCOME_HANG,      // a failure: the case did not end in time
};

// What was counted or measured. A field is to be shown only if its `has_` flag is set.
struct figures {
  bool has_rounds;
  unsigned rounds;    // rounds that were run
  unsigned lost;      // the effect happened, yet the thread was cancelled and told nobody
  unsigned cancelled; // rounds in which the thread ended as cancelled (includes the lost ones)
  unsigned data_won;  // rounds in which the call returned its result
  unsigned hung;      // rounds in which the thread did neither in time
  bool has_latency;
  double latency_median_us; // from pthread_cancel to the return of pthread_join
  double latency_max_us;
};

#define MESSAGE_SIZE 600

// What came of one case. It travels from the child to the parent over a pipe as it is: no pointers in it.
struct result {
  enum outcome outcome;
  struct figures figures;
  double seconds;             // time the case took; set by the parent
  bool expected;              // a failure that --expect allows; set by the parent
  char message[MESSAGE_SIZE]; // one line of UTF-8 without newline; empty if there is nothing to tell
};

struct point;
struct property;

struct test_case {
  char name[64];                   // "read/race" or "cleanup/lifo"; unique; no spaces
  const char *title;               // one sentence: what holds if the case passes
  const char *clause;              // the source, e.g. "POSIX.1-2017 XSH 2.9.5.2"
  const char *point;               // name of the cancellation point, or NULL for a case that stands alone
  const char *property;            // name of the property, or NULL for a case that stands alone
  enum kind kind;
  const struct point *point_data;       // for run.c only
  const struct property *property_data; // for run.c only
  void (*run)(struct result *);         // a case that stands alone; NULL if it was not built
  const char *file;                     // base name of the source file, for --source
};

// A failure counts unless it is expected. A hang is a failure.
bool outcome_is_failure(enum outcome outcome);
const char *kind_name(enum kind kind);          // "required", "extra", "quality"
const char *outcome_name(enum outcome outcome); // "pass", "fail", "skip", "info", "not-built", "hang"

#define MAX_FILTERS 64

struct options {
  bool list, help, version, quiet;
  const char *filters[MAX_FILTERS]; // globs or substrings; a case runs if it matches one of them, or if there is none
  unsigned filter_count;
  unsigned rounds;        // racing rounds per case
  double timeout;         // seconds that one case may take
  const char *format;     // table, tap, junit, json, html
  const char *output;     // --output=FILE, or NULL for standard output
  const char *expect;     // --expect=FILE
  const char *source;     // --source CASE
  const char *loader;     // --loader=PATH: run under this dynamic loader
  const char *library_path; // --library-path=DIRS: goes with --loader
  const char *compare[8]; // --compare[=A,B]... as given, "" without a value: see compare.c
  unsigned compare_count;
  const char *source_dir; // --source-dir=DIR: the sources, for the side "musl" of --compare; or NULL
  char **arguments;       // argv as given, NULL-terminated
};

extern struct options options;

// The table of all cases, made once by cases_build(); the order is that of the report.
extern struct test_case *cases;
extern size_t case_count;
void cases_build(void);
bool case_selected(const struct test_case *test_case);

// selftest.c. Cases that test this program: hang, fail, crash and so on by design. They stand at the end of the table,
// are not listed, and are selected only by a filter that begins with "selftest.".
extern const struct test_case selftest_cases[];
extern const size_t selftest_case_count;

// --source: prints a program of one file that reproduces the case. Returns the exit status.
int source_print(const char *case_name, FILE *out);

// expect.c. The file has one case name or glob a line; '#' opens a comment, which is kept as the reason.
bool expect_load(const char *path, FILE *errors);  // false: could not be read; the reason was printed
const char *expect_reason(const char *case_name);  // NULL: not expected to fail; else the reason (perhaps "")
bool expect_names(const char *case_name);          // listed by its own name, not by a glob: to pass is a surprise
void expect_saw(const char *case_name, const struct result *result);
unsigned expect_report_unused(FILE *errors);       // tells of entries that failed nowhere; returns their number

// loader.c. Runs this program anew under `options.loader`, without the options that asked for it. Returns (the exit
// status, 2) only if that is not possible; the reason was printed.
int loader_exec(const struct options *options);

// compare.c. --compare[=A,B]...: each is "plain", "kev-run", "musl", a library to preload, a program, or a report of
// --format=lines; without a list, the first three. The differences are printed. Returns the exit status.
int compare_run(const struct options *options, FILE *out);

// stack_*.c. Prints the stacks of every thread of the process, which is stuck. Called by the watchdog in run.c, from
// the parent of `process`, before that process is killed. Says so if it was not built.
void stack_print(pid_t process, FILE *out);
extern const bool stack_is_built;

#ifdef EMBED_HEADERS
EMBED_SOURCE(conformance_h);
#endif

#endif
