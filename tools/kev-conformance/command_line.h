// What main.c needs of the command line (options.c) and of the runner (run.c). Main thread of the parent only.
#ifndef COMMAND_LINE_H
#define COMMAND_LINE_H

#include "report.h"

// Fills `options`. False: wrong use; the reason was printed.
bool options_parse(int argc, char **argv);
void options_print_help(FILE *out);

// Runs the selected cases and reports them. Returns the exit status.
int run_all(const struct report *report, FILE *out, int argc, char **argv);

// run_info.c. Tells what is tested: the C library, the kernel, the machine.
void run_info_fill(struct run_info *info, int argc, char **argv);

// Runs one case in a process of its own, with a watchdog.
void run_case(const struct test_case *test_case, struct result *result);

#endif
