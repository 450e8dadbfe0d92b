// Tells what is tested (C library, kernel, machine, preloaded objects), and finds the reporter by its name.
#define _GNU_SOURCE 1
#include "command_line.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

extern const struct report report_lines; // for --compare and for scripts

static const struct report *const reports[] = {&report_table, &report_tap,  &report_junit,
                                               &report_json,  &report_html, &report_lines};

const struct report *report_find(const char *name) {
  for (size_t i = 0; i < sizeof reports / sizeof *reports; i++) {
    if (strcmp(reports[i]->name, name) == 0) return reports[i];
  }
  return NULL;
}

static void copy(char *to, size_t size, const char *first, const char *second) {
  snprintf(to, size, "%s%s%s", first, *first && *second ? " " : "", second);
}

void run_info_fill(struct run_info *info, int argc, char **argv) {
  struct utsname system;
  const char *preload = getenv("LD_PRELOAD");
  memset(info, 0, sizeof *info);
#ifdef __GLIBC__
  copy(info->c_library, sizeof info->c_library, "glibc", gnu_get_libc_version());
#else
  copy(info->c_library, sizeof info->c_library, "musl or another C library", "");
#endif
  if (uname(&system) == 0) {
    copy(info->kernel, sizeof info->kernel, system.sysname, system.release);
    copy(info->machine, sizeof info->machine, system.machine, "");
  }
  copy(info->preload, sizeof info->preload, preload == NULL ? "" : preload, "");
#ifdef __clang__
  copy(info->compiler, sizeof info->compiler, "", __VERSION__);
#else
  copy(info->compiler, sizeof info->compiler, "gcc", __VERSION__);
#endif
#ifdef HAVE_CXX
  info->has_cxx = true;
#endif
  info->has_stack = stack_is_built;
  info->rounds = options.rounds;
  info->timeout = options.timeout;
  info->argc = argc;
  info->argv = argv;
  info->started = time(NULL);
}
