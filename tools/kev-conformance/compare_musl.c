// Builds this program with musl-gcc from its sources, as the README's one command does, for the side "musl".
//
// The sources are those of --source-dir, else of the folder that the build named, else of the path that the compiler
// was given; where none is there, there is no such side.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "compare.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static bool has_sources(const char *folder) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/compare_musl.c", folder);
  return access(path, R_OK) == 0;
}

// False: there are no sources. The path is absolute, for the compiler runs elsewhere.
static bool find_sources(char folder[PATH_MAX], const struct options *given) {
  static char file[] = __FILE__;
  const char *candidates[3] = {given->source_dir, NULL, NULL};
#ifdef CONFORMANCE_SOURCE_DIR
  candidates[1] = CONFORMANCE_SOURCE_DIR;
#endif
  candidates[2] = dirname(file);
  for (size_t i = 0; i < 3; i++) {
    if (candidates[i] == NULL) continue;
    if (has_sources(candidates[i])) return realpath(candidates[i], folder) != NULL;
    if (i == 0) return false;
  }
  return false;
}

// Starts the compiler on every source file; what it says goes into the file `log`. Its wait status, or -1.
static int compile(const char *folder, const char *path, const char *log) {
  char pattern[PATH_MAX + 8];
  glob_t sources = {.gl_offs = 6};
  snprintf(pattern, sizeof pattern, "%s/*.c", folder);
  if (glob(pattern, GLOB_DOOFFS, NULL, &sources) != 0) return -1;
  const char *const front[] = {"musl-gcc", "-std=c11", "-O2", "-pthread", "-o", path};
  for (size_t i = 0; i < 6; i++) sources.gl_pathv[i] = (char *)front[i];
  pid_t child = fork();
  if (child == 0) {
    int to = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (to < 0 || dup2(to, 1) < 0 || dup2(to, 2) < 0) _exit(126);
    unsetenv("LD_PRELOAD");
    execvp(front[0], sources.gl_pathv);
    _exit(127);
  }
  int status = -1;
  if (child > 0)
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  for (size_t i = 0; i < 6; i++) sources.gl_pathv[i] = NULL;
  globfree(&sources);
  return child > 0 ? status : -1;
}

// The first line of the log that tells of an error.
static void read_error(const char *log, char *text, size_t size) {
  FILE *file = fopen(log, "re");
  text[0] = 0;
  if (file == NULL) return;
  while (fgets(text, (int)size, file) != NULL && strstr(text, "error") == NULL) continue;
  text[strcspn(text, "\n")] = 0;
  fclose(file);
}

bool musl_build(char *path, size_t size, const struct options *given, char *missing, size_t missing_size) {
  char sources[PATH_MAX], folder[256], log[300], error[256];
  const char *temporary = getenv("TMPDIR");
  if (!find_sources(sources, given)) {
    snprintf(missing, missing_size, "the sources of this program are not there (--source-dir)");
    return false;
  }
  snprintf(folder, sizeof folder, "%.200s/kev-conformance-XXXXXX",
           temporary == NULL || *temporary == 0 ? "/tmp" : temporary);
  if (mkdtemp(folder) == NULL) {
    snprintf(missing, missing_size, "%s: %s", folder, strerror(errno));
    return false;
  }
  snprintf(path, size, "%s/kev-conformance", folder);
  snprintf(log, sizeof log, "%s/log", folder);
  int status = compile(sources, path, log);
  if (status == 0) return true;
  read_error(log, error, sizeof error);
  if (status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 127)
    snprintf(missing, missing_size, "musl-gcc is not installed");
  else
    snprintf(missing, missing_size, "musl-gcc failed: %s", error);
  musl_remove(path);
  return false;
}

void musl_remove(const char *path) {
  char folder[PATH_MAX], log[PATH_MAX + 8];
  snprintf(folder, sizeof folder, "%s", path);
  char *slash = strrchr(folder, '/');
  if (slash == NULL) return;
  *slash = 0;
  snprintf(log, sizeof log, "%s/log", folder);
  unlink(path);
  unlink(log);
  rmdir(folder);
}
