// Where the results of a side come from: a report that is read, or a program that is run and writes one to a pipe.
//
// Sides run one after another: cases measure time and race. None of them inherits LD_PRELOAD, so that "plain" is plain.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "compare.h"
#include "loader.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_WORDS (LOADER_COMMAND_MAX + MAX_FILTERS + 16)

struct command {
  const char *words[MAX_WORDS];
  unsigned count;
  const char *preload;
};

static void add_word(struct command *command, const char *word) {
  if (command->count < MAX_WORDS - 1) command->words[command->count++] = word;
}

static bool is_program(const char *path) {
  return access(path, X_OK) == 0;
}

// KEV_RUN, else beside this program in a build folder or an installation, else what PATH finds.
static const char *find_kev_run(void) {
  static const char *const beside[] = {"../../preload/kev-run", "../preload/kev-run", "kev-run"};
  static char path[2 * PATH_MAX], self[PATH_MAX];
  const char *named = getenv("KEV_RUN");
  if (named != NULL && *named != 0) return named;
  if (loader_self_path(self, sizeof self)) {
    char *slash = strrchr(self, '/');
    if (slash != NULL) *slash = 0;
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
      snprintf(path, sizeof path, "%s/%s", self, beside[i]);
      if (is_program(path)) return path;
    }
  }
  return "kev-run";
}

// What every side is asked for: the user's choice of cases, in the format that is read here.
static void add_choice(struct command *command, const struct options *given) {
  static char rounds[32], timeout[48];
  snprintf(rounds, sizeof rounds, "--rounds=%u", given->rounds);
  snprintf(timeout, sizeof timeout, "--timeout=%.3f", given->timeout);
  add_word(command, "--format=lines");
  add_word(command, rounds);
  add_word(command, timeout);
  add_word(command, "--");
  for (unsigned i = 0; i < given->filter_count; i++) add_word(command, given->filters[i]);
}

static void become(const struct command *command, int to) {
  if (dup2(to, STDOUT_FILENO) < 0) _exit(126);
  unsetenv("LD_PRELOAD");
  if (command->preload != NULL) setenv("LD_PRELOAD", command->preload, 1);
  // kev-run takes these for settings that it does not know.
  unsetenv("KEV_RUN");
  unsetenv("KEV_PRELOAD");
  execvp(command->words[0], (char **)command->words);
  _exit(127);
}

static void run_side(struct side *side, const struct command *command) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    snprintf(side->missing, sizeof side->missing, "pipe: %s", strerror(errno));
    return;
  }
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) become(command, ends[1]);
  close(ends[1]);
  FILE *in = fdopen(ends[0], "r");
  bool whole = child > 0 && in != NULL && side_read(side, in);
  if (in != NULL) fclose(in);
  else close(ends[0]);
  int status = 0;
  if (child > 0)
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (whole) return;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
    snprintf(side->missing, sizeof side->missing, "%s: not found", command->words[0]);
  else if (WIFSIGNALED(status))
    snprintf(side->missing, sizeof side->missing, "%s: ended by signal %d", command->words[0], WTERMSIG(status));
  else
    snprintf(side->missing, sizeof side->missing, "%s: no whole report, status %d", command->words[0],
             WEXITSTATUS(status));
}

static void run_self(struct side *side, struct command *command, const struct options *given) {
  const char *self[LOADER_COMMAND_MAX];
  unsigned count = loader_self_command(self);
  for (unsigned i = 0; i < count; i++) add_word(command, self[i]);
  add_choice(command, given);
  if (count == 0)
    snprintf(side->missing, sizeof side->missing, "this program does not find its own path");
  else
    run_side(side, command);
}

// kev-run starts no loader. Under --loader its object is preloaded as it would do: the one that lies beside it.
static void run_object(struct side *side, struct command *command, const struct options *given) {
  static char object[2 * PATH_MAX];
  const char *kev_run = find_kev_run();
  const char *slash = strrchr(kev_run, '/');
  int folder = slash == NULL ? 0 : (int)(slash - kev_run) + 1;
  snprintf(object, sizeof object, "%.*slibkev-preload.so", folder, kev_run);
  if (access(object, R_OK) != 0) {
    snprintf(side->missing, sizeof side->missing, "%.300s: not found; name the object as a side", object);
    return;
  }
  command->preload = object;
  run_self(side, command, given);
}

static void run_musl(struct side *side, const struct options *given) {
  char path[300];
  struct command command = {0};
  if (isatty(STDERR_FILENO)) fputs("building with musl-gcc", stderr);
  bool built = musl_build(path, sizeof path, given, side->missing, sizeof side->missing);
  if (isatty(STDERR_FILENO)) fputs("\r\033[K", stderr);
  if (!built) return;
  add_word(&command, path);
  add_choice(&command, given);
  run_side(side, &command);
  musl_remove(path);
}

// A label stands in every format as it is.
static void set_label(struct side *side, const char *what) {
  const char *slash = strrchr(what, '/');
  const char *base = slash == NULL || slash[1] == 0 ? what : slash + 1;
  snprintf(side->label, sizeof side->label, "%.*s", COMPARE_LABEL_SIZE - 1, base);
  for (char *at = side->label; *at != 0; at++)
    if (!isalnum((unsigned char)*at) && strchr("._-+", *at) == NULL) *at = '_';
}

static bool is_library(const char *path) {
  const char *end = strstr(path, ".so");
  return end != NULL && (end[3] == 0 || end[3] == '.');
}

// A file that is no program: an earlier report.
static void read_file(struct side *side, const char *path) {
  FILE *file = fopen(path, "re");
  if (file == NULL) {
    snprintf(side->missing, sizeof side->missing, "%s: %s", path, strerror(errno));
    return;
  }
  if (!side_read(side, file))
    snprintf(side->missing, sizeof side->missing, "%s: not a whole report of --format=lines", path);
  fclose(file);
}

void side_collect(struct side *side, const char *what, const struct options *given) {
  struct command command = {0};
  set_label(side, what);
  if (strcmp(what, "plain") == 0) {
    run_self(side, &command, given);
  } else if (strcmp(what, "kev-run") == 0 && loader_is_given()) {
    run_object(side, &command, given);
  } else if (strcmp(what, "kev-run") == 0) {
    // Strictly: a side that silently ran natively would tell nothing.
    add_word(&command, find_kev_run());
    add_word(&command, "--strict");
    add_word(&command, "--");
    run_self(side, &command, given);
  } else if (strcmp(what, "musl") == 0) {
    run_musl(side, given);
  } else if (is_library(what)) {
    command.preload = what;
    run_self(side, &command, given);
  } else if (is_program(what)) {
    add_word(&command, what);
    add_choice(&command, given);
    run_side(side, &command);
  } else {
    read_file(side, what);
  }
}
