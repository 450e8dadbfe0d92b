// The comparison as one JSON document: "sides" with what they are and their counts, "cases" with an outcome for each
// side in the same order (null: the side does not know the case).
#include "compare.h"
#include "escape.h"

static void member(FILE *out, const char *before, const char *name, const char *text) {
  fprintf(out, "%s\"%s\": ", before, name);
  escape_json(out, text);
}

static void write_side(FILE *out, const struct comparison *comparison, size_t number) {
  const struct side *side = &comparison->sides[number];
  struct side_counts counts = compare_counts(comparison, number);
  member(out, "{", "name", side->label);
  member(out, ", ", "c_library", side->c_library);
  member(out, ", ", "preload", side->preload);
  if (side->missing[0] != 0) member(out, ", ", "missing", side->missing);
  fprintf(out, ", \"passed\": %u, \"failed\": %u, \"not_tried\": %u, \"better\": %u, \"worse\": %u}", counts.passed,
          counts.failed, counts.untried, counts.better, counts.worse);
}

static void write_outcome(FILE *out, const struct outcome_row *row) {
  if (row == NULL) {
    fputs("null", out);
    return;
  }
  const struct figures *figures = &row->result.figures;
  member(out, "{", "outcome", outcome_name(row->result.outcome));
  if (figures->has_rounds)
    fprintf(out, ", \"rounds\": %u, \"lost\": %u, \"hung\": %u", figures->rounds, figures->lost, figures->hung);
  if (row->result.message[0] != 0) member(out, ", ", "message", row->result.message);
  fputc('}', out);
}

void compare_json(FILE *out, const struct comparison *comparison) {
  fputs("{\"tool\": \"kev-conformance\", \"version\": \"" CONFORMANCE_VERSION "\",\n\"sides\": [", out);
  for (size_t i = 0; i < comparison->side_count; i++) {
    fputs(i == 0 ? "\n" : ",\n", out);
    write_side(out, comparison, i);
  }
  fputs("\n],\n\"cases\": [", out);
  for (size_t i = 0; i < comparison->name_count; i++) {
    const char *name = comparison->names[i];
    member(out, i == 0 ? "\n{" : ",\n{", "name", name);
    fprintf(out, ", \"differs\": %s, \"sides\": [", compare_differs(comparison, name) ? "true" : "false");
    for (size_t k = 0; k < comparison->side_count; k++) {
      if (k > 0) fputs(", ", out);
      write_outcome(out, side_row(&comparison->sides[k], name));
    }
    fputs("]}", out);
  }
  fputs("\n]}\n", out);
}
