// The command line. Long options only, as --name=VALUE or --name VALUE; what is no option is a filter.
#define _GNU_SOURCE 1
#include "command_line.h"

#include <stdlib.h>
#include <string.h>

struct options options = {.rounds = 300, .timeout = 30, .format = "table"};

enum argument { NONE, TEXT, FILTERS, NUMBER, SECONDS, SIDES };

static const struct option_entry {
  const char *name;
  enum argument argument;
  void *target;
  const char *value, *help;
} entries[] = {
  {"list", NONE, &options.list, "", "print the cases, their kind and what they say, and end"},
  {"filter", FILTERS, NULL, "PATTERN", "run the cases that match: a glob or a part of the name; several with commas"},
  {"rounds", NUMBER, &options.rounds, "N", "racing rounds per case (300; 20000 for a thorough run)"},
  {"timeout", SECONDS, &options.timeout, "SECONDS", "how long one case may take (30)"},
  {"format", TEXT, &options.format, "FORMAT", "table, tap, junit, json, html or lines"},
  {"output", TEXT, &options.output, "FILE", "write the report there instead of to standard output"},
  {"expect", TEXT, &options.expect, "FILE", "names or globs of cases that may fail, one a line; # opens a comment"},
  {"source", TEXT, &options.source, "CASE", "print a program of one file that reproduces the case"},
  {"loader", TEXT, &options.loader, "PATH", "run under this dynamic loader"},
  {"library-path", TEXT, &options.library_path, "DIRS", "where that loader looks for libraries"},
  {"compare", SIDES, NULL, "[SIDE,...]", "run the cases on several sides and show them next to each other"},
  {"source-dir", TEXT, &options.source_dir, "DIR", "where the sources are, from which --compare builds with musl-gcc"},
  {"quiet", NONE, &options.quiet, "", "show only what failed"},
  {"help", NONE, &options.help, "", "print this"},
  {"version", NONE, &options.version, "", "print the version"},
};
enum { ENTRY_COUNT = sizeof entries / sizeof *entries };

void options_print_help(FILE *out) {
  fputs("usage: kev-conformance [options] [pattern...]\n"
        "Tests thread cancellation and event waits of the system it runs on.\n\n", out);
  for (int i = 0; i < ENTRY_COUNT; i++) {
    char left[64];
    bool optional = entries[i].argument == SIDES;
    snprintf(left, sizeof left, "--%s%s%s", entries[i].name, *entries[i].value && !optional ? "=" : "",
             optional ? "[=SIDE,...]" : entries[i].value);
    fprintf(out, "  %-24s %s\n", left, entries[i].help);
  }
  fputs("\nExit status: 0 if nothing required fails (unless --expect allows it), 1 if something does, 2 for wrong use.\n",
        out);
}

static bool complain(const char *what, const char *name) {
  fprintf(stderr, "kev-conformance: %s: %s (see --help)\n", name, what);
  return false;
}

static bool add_filters(const char *text) {
  char *copy = strdup(text), *state = NULL;
  if (copy == NULL) return false;
  for (char *word = strtok_r(copy, ",", &state); word != NULL; word = strtok_r(NULL, ",", &state)) {
    if (options.filter_count == MAX_FILTERS) return complain("too many patterns", "--filter");
    options.filters[options.filter_count++] = word;
  }
  return true;
}

static bool add_side(const char *value) {
  if (options.compare_count == sizeof options.compare / sizeof *options.compare) {
    return complain("too many sides", "--compare");
  }
  options.compare[options.compare_count++] = value;
  return true;
}

static bool store(const struct option_entry *entry, const char *value, const char *name) {
  char *end = NULL;
  switch (entry->argument) {
    case NONE: *(bool *)entry->target = true; return true;
    case TEXT: *(const char **)entry->target = value; return true;
    case FILTERS: return add_filters(value);
    case SIDES: return add_side(value);
    case NUMBER: {
      unsigned long number = strtoul(value, &end, 10);
      if (*value < '0' || *value > '9' || *end != 0 || number == 0 || number > 100000000) {
        return complain("wants a number from 1", name);
      }
      *(unsigned *)entry->target = (unsigned)number;
      return true;
    }
    case SECONDS: {
      double seconds = strtod(value, &end);
      if (end == value || *end != 0 || !(seconds > 0 && seconds < 1e6)) return complain("wants seconds above 0", name);
      *(double *)entry->target = seconds;
      return true;
    }
  }
  return false;
}

static bool parse_one(char **arguments, int *at) {
  const char *word = arguments[*at], *name = word + 2;
  size_t length = strcspn(name, "=");
  for (int i = 0; i < ENTRY_COUNT; i++) {
    const struct option_entry *entry = &entries[i];
    if (strlen(entry->name) != length || strncmp(entry->name, name, length) != 0) continue;
    const char *value = name[length] == '=' ? name + length + 1 : NULL;
    if (entry->argument == NONE) return value == NULL ? store(entry, NULL, word) : complain("takes no value", word);
    if (value == NULL && entry->argument == SIDES) value = "";
    if (value == NULL) value = arguments[++*at];
    if (value == NULL) return complain("wants a value", word);
    return store(entry, value, word);
  }
  return complain("no such option", word);
}

bool options_parse(int argc, char **argv) {
  options.arguments = argv;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--") == 0) {
      for (i++; i < argc; i++) {
        if (!add_filters(argv[i])) return false;
      }
    } else if (argv[i][0] == '-' && argv[i][1] == '-') {
      if (!parse_one(argv, &i)) return false;
    } else if (argv[i][0] == '-' && argv[i][1] != 0) {
      return complain("no such option", argv[i]);
    } else if (!add_filters(argv[i])) {
      return false;
    }
  }
  if (options.library_path != NULL && options.loader == NULL) {
    return complain("goes with --loader", "--library-path");
  }
  return true;
}
