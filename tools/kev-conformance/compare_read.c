// Reads what --format=lines wrote (report_lines.c tells its fields). Unknown kinds of lines are passed over, so that an
// older program can read the report of a newer one.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "compare.h"

#include <stdlib.h>
#include <string.h>

#define MAX_FIELDS 10

// Cuts a line at its tabulators; the last field takes what is left.
static size_t split(char *line, char *fields[MAX_FIELDS]) {
  size_t count = 0;
  line[strcspn(line, "\n")] = 0;
  while (count < MAX_FIELDS) {
    fields[count++] = line;
    char *tabulator = strchr(line, '\t');
    if (tabulator == NULL) break;
    *tabulator = 0;
    line = tabulator + 1;
  }
  return count;
}

static bool read_outcome(const char *name, enum outcome *outcome) {
  for (int i = OUTCOME_PASS; i <= OUTCOME_HANG; i++) {
    if (strcmp(outcome_name((enum outcome)i), name) != 0) continue;
    *outcome = (enum outcome)i;
    return true;
  }
  return false;
}

static enum kind read_kind(const char *name) {
  for (int i = KIND_REQUIRED; i <= KIND_QUALITY; i++)
    if (strcmp(kind_name((enum kind)i), name) == 0) return (enum kind)i;
  return KIND_QUALITY;
}

// Fields: case, name, outcome, kind, rounds, lost, hung, seconds, message.
static void add_row(struct side *side, char *fields[], size_t count) {
  struct outcome_row row = {0};
  if (count < 8 || !read_outcome(fields[2], &row.result.outcome)) return;
  if (side->count == side->room) {
    size_t room = side->room == 0 ? 256 : 2 * side->room;
    struct outcome_row *bigger = realloc(side->rows, room * sizeof *bigger);
    if (bigger == NULL) return;
    side->rows = bigger;
    side->room = room;
  }
  snprintf(row.test_case.name, sizeof row.test_case.name, "%s", fields[1]);
  row.test_case.kind = read_kind(fields[3]);
  row.result.figures.has_rounds = fields[4][0] != '-';
  row.result.figures.rounds = (unsigned)strtoul(fields[4], NULL, 10);
  row.result.figures.lost = (unsigned)strtoul(fields[5], NULL, 10);
  row.result.figures.hung = (unsigned)strtoul(fields[6], NULL, 10);
  row.result.seconds = strtod(fields[7], NULL);
  snprintf(row.result.message, sizeof row.result.message, "%s", count > 8 ? fields[8] : "");
  side->rows[side->count++] = row;
}

static void add_fact(struct side *side, const char *name, const char *value) {
  if (strcmp(name, "c_library") == 0) snprintf(side->c_library, sizeof side->c_library, "%s", value);
  if (strcmp(name, "preload") == 0) snprintf(side->preload, sizeof side->preload, "%s", value);
}

bool side_read(struct side *side, FILE *in) {
  char *line = NULL, *fields[MAX_FIELDS];
  size_t room = 0;
  bool ended = false;
  while (!ended && getline(&line, &room, in) >= 0) {
    size_t count = split(line, fields);
    if (count >= 3 && strcmp(fields[0], "run") == 0) {
      add_fact(side, fields[1], fields[2]);
    } else if (strcmp(fields[0], "case") == 0) {
      add_row(side, fields, count);
    } else {
      ended = strcmp(fields[0], "end") == 0;
    }
  }
  free(line);
  return ended;
}
