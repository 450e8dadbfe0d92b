// Known failures: the list of --expect, asked by the name of a case.
//
// A line holds a case name or a glob, and what follows a '#' is the reason. Lines that hold more than one word are
// mistakes: each is told with its number, and the list is then refused as a whole, for a list that is half read hides
// failures or shows old ones. Entries that never saw a failure are told at the end, so that a list does not rot.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "conformance.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

struct entry {
  char *pattern;
  char *reason;
  unsigned line;
  unsigned failed; // cases that match and failed
  unsigned passed; // cases that match and passed
  char passing[64];
};

static struct entry *entries;
static size_t entry_count;

// Cuts blanks from both ends, in place.
static char *trimmed(char *text) {
  text += strspn(text, " \t\r\n");
  size_t length = strlen(text);
  while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL) text[--length] = 0;
  return text;
}

static bool add_entry(const char *pattern, const char *reason, unsigned line) {
  struct entry *bigger = realloc(entries, (entry_count + 1) * sizeof *entries);
  if (bigger == NULL) return false;
  entries = bigger;
  struct entry *entry = &entries[entry_count];
  *entry = (struct entry){.pattern = strdup(pattern), .reason = strdup(reason), .line = line};
  if (entry->pattern == NULL || entry->reason == NULL) return false;
  entry_count++;
  return true;
}

// Returns NULL, or what is wrong with the line.
static const char *read_line(char *text, unsigned line) {
  char *reason = strchr(text, '#');
  if (reason != NULL) *reason++ = 0;
  char *pattern = trimmed(text);
  if (*pattern == 0) return NULL;
  if (strpbrk(pattern, " \t") != NULL) return "more than one name on a line; a reason begins with '#'";
  if (strlen(pattern) >= sizeof cases[0].name) return "longer than any case name";
  return add_entry(pattern, reason == NULL ? "" : trimmed(reason), line) ? NULL : "out of memory";
}

bool expect_load(const char *path, FILE *errors) {
  FILE *file = fopen(path, "re");
  if (file == NULL) {
    fprintf(errors, "kev-conformance: %s: %s\n", path, strerror(errno));
    return false;
  }
  char *text = NULL;
  size_t room = 0;
  bool good = true;
  for (unsigned line = 1; getline(&text, &room, file) >= 0; line++) {
    const char *mistake = read_line(text, line);
    if (mistake == NULL) continue;
    fprintf(errors, "kev-conformance: %s:%u: %s\n", path, line, mistake);
    good = false;
  }
  if (ferror(file)) {
    fprintf(errors, "kev-conformance: %s: %s\n", path, strerror(errno));
    good = false;
  }
  free(text);
  fclose(file);
  return good;
}

static bool entry_matches(const struct entry *entry, const char *case_name) {
  return fnmatch(entry->pattern, case_name, 0) == 0;
}

const char *expect_reason(const char *case_name) {
  for (size_t i = 0; i < entry_count; i++)
    if (entry_matches(&entries[i], case_name)) return entries[i].reason;
  return NULL;
}

bool expect_names(const char *case_name) {
  for (size_t i = 0; i < entry_count; i++)
    if (strcmp(entries[i].pattern, case_name) == 0) return true;
  return false;
}

void expect_saw(const char *case_name, const struct result *result) {
  for (size_t i = 0; i < entry_count; i++) {
    struct entry *entry = &entries[i];
    if (!entry_matches(entry, case_name)) continue;
    if (outcome_is_failure(result->outcome)) {
      entry->failed++;
    } else if (result->outcome == OUTCOME_PASS && entry->passed++ == 0) {
      snprintf(entry->passing, sizeof entry->passing, "%s", case_name);
    }
  }
}

// An entry that matches no case of the table is a mistake of spelling. One whose cases were not run, or could not be
// tried here, is none.
static bool matches_a_case(const struct entry *entry) {
  for (size_t i = 0; i < case_count; i++)
    if (entry_matches(entry, cases[i].name)) return true;
  return false;
}

unsigned expect_report_unused(FILE *errors) {
  unsigned unused = 0;
  for (size_t i = 0; i < entry_count; i++) {
    const struct entry *entry = &entries[i];
    const char *path = options.expect == NULL ? "expected failures" : options.expect;
    if (!matches_a_case(entry)) {
      fprintf(errors, "%s:%u: there is no case '%s'\n", path, entry->line, entry->pattern);
    } else if (entry->failed == 0 && entry->passed == 1) {
      fprintf(errors, "%s:%u: %s unexpectedly passes\n", path, entry->line, entry->passing);
    } else if (entry->failed == 0 && entry->passed > 1) {
      fprintf(errors, "%s:%u: all %u cases of '%s' unexpectedly pass\n", path, entry->line, entry->passed,
              entry->pattern);
    } else {
      continue;
    }
    unused++;
  }
  return unused;
}
