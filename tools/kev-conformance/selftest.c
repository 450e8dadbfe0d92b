// Cases that come out badly by design, to test what this program makes of them: the reports, --expect, the watchdog.
// They are not part of a run: only a filter that begins with "selftest." selects them.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "support.h"

#include <stdlib.h>
#include <unistd.h>

// What a report must escape: markup, quotes, a directive of TAP, a backslash, and bytes that are not UTF-8.
#define AWKWARD "<b>&amp; \"quoted\" 'single' # TODO \\ ]]> \x01 \xc3\xa9 \xff end"

static void run_pass(struct result *result) {
  pass(result, "%s", "");
}

static void run_fail(struct result *result) {
  fail(result, "%s", AWKWARD);
}

static void run_skip(struct result *result) {
  skip(result, "%s", "skipped by design # \"quoted\"");
}

static void run_info(struct result *result) {
  inform(result, "%s", AWKWARD);
}

static void run_figures(struct result *result) {
  result->figures = (struct figures){.has_rounds = true, .rounds = 100, .lost = 7, .cancelled = 60, .data_won = 39,
                                     .hung = 1, .has_latency = true, .latency_median_us = 12.5,
                                     .latency_max_us = 3000};
  fail(result, "%s", "lost by design");
}

static void run_crash(struct result *result) {
  (void)result;
  abort();
}

static void *selftest_stuck_thread(void *unused) {
  for (;;) pause();
  return unused;
}

static void run_hang(struct result *result) {
  pthread_t thread;
  (void)result;
  if (pthread_create(&thread, NULL, selftest_stuck_thread, NULL) == 0) pthread_join(thread, NULL);
}

#define SELFTEST(case_name, case_kind)                                                                    \
  {                                                                                                       \
    .name = "selftest." #case_name, .title = "A case that is to come out as: " #case_name,                \
    .clause = "none", .kind = case_kind, .run = run_##case_name, .file = "selftest.c",                    \
  }

const struct test_case selftest_cases[] = {
  SELFTEST(pass, KIND_REQUIRED),    SELFTEST(fail, KIND_REQUIRED),  SELFTEST(skip, KIND_REQUIRED),
  SELFTEST(info, KIND_REQUIRED),    SELFTEST(figures, KIND_QUALITY), SELFTEST(crash, KIND_REQUIRED),
  SELFTEST(hang, KIND_REQUIRED),
};
const size_t selftest_case_count = sizeof selftest_cases / sizeof *selftest_cases;
