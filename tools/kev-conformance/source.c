// --source CASE: prints a program of one file that reproduces a case. It is made of the sources of this program, which
// the assembler put into it (embed.h): the headers, the support, the files of the case, and a small main.
//
// The local #include lines fall away, as the headers stand in the text already.
#define _GNU_SOURCE 1
#define EMBED_HEADERS
#include "embed.h"
#include "property.h"
#include "support.h"

#include <string.h>

#define DECLARE(name) extern const char embedded_##name[];
DECLARE(embed_h)
DECLARE(conformance_h)
DECLARE(point_h)
DECLARE(property_h)
DECLARE(support_h)
DECLARE(names_c)
DECLARE(support_c)
DECLARE(trial_c)
#define POINTS(name) DECLARE(points_##name##_c)
#define PROPERTY(name, file) DECLARE(property_##file##_c)
#define CASES(name) DECLARE(cases_##name##_c)
#include "tables.def"
#undef POINTS
#undef PROPERTY
#undef CASES

static const struct text {
  const char *symbol; // of the table or the property
  const char *text;
} texts[] = {
#define POINTS(name) {"points_" #name, embedded_points_##name##_c},
#define PROPERTY(name, file) {"property_" #name, embedded_property_##file##_c},
#define CASES(name) {"cases_" #name, embedded_cases_##name##_c},
#include "tables.def"
#undef POINTS
#undef PROPERTY
#undef CASES
};

static void print_text(const char *text, FILE *out) {
  while (*text != 0) {
    size_t length = strcspn(text, "\n");
    if (strncmp(text, "#include \"", 10) != 0) fprintf(out, "%.*s\n", (int)length, text);
    text += length + (text[length] == '\n');
  }
  fputc('\n', out);
}

static bool print_named(const char *symbol, FILE *out) {
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    if (strcmp(texts[i].symbol, symbol) != 0) continue;
    print_text(texts[i].text, out);
    return true;
  }
  return false;
}

static void print_main(const struct test_case *c, const char *table, const char *property, FILE *out) {
  fprintf(out, "struct options options = {.rounds = %u, .timeout = %.0f};\n\n", options.rounds, options.timeout);
  fprintf(out, "int main(void) {\n  struct result result;\n  memset(&result, 0, sizeof result);\n"
               "  if (!scratch_make()) return 2;\n  warm_up();\n");
  if (property != NULL) {
    fprintf(out, "  for (const struct point *point = %s; point->name != NULL; point++) {\n"
                 "    if (strcmp(point->name, \"%s\") == 0) %s.run(point, &result);\n  }\n", table, c->point, property);
  } else {
    fprintf(out, "  for (const struct test_case *c = %s; c->title != NULL; c++) {\n"
                 "    if (strcmp(c->name, \"%s\") == 0) c->run(&result);\n  }\n", table, c->name);
  }
  fprintf(out, "  scratch_remove();\n"
               "  printf(\"%s: %%s %%s\\n\", outcome_name(result.outcome), result.message);\n"
               "  if (result.figures.has_rounds) {\n"
               "    printf(\"%%u rounds: the request won %%u, the call %%u; lost %%u\\n\", result.figures.rounds,\n"
               "           result.figures.cancelled, result.figures.data_won, result.figures.lost);\n  }\n"
               "  return outcome_is_failure(result.outcome) ? 1 : 0;\n}\n", c->name);
}

static int print_case(const struct test_case *c, FILE *out) {
  char table[64], property[64] = "";
  if (strcmp(c->file, "cases_cxx.c") == 0) {
    fprintf(stderr, "kev-conformance: %s is C++: its source, cxx_unwind.cpp, is not part of this program\n", c->name);
    return 2;
  }
  snprintf(table, sizeof table, "%.*s", (int)strcspn(c->file, "."), c->file);
  if (c->property != NULL && c->property_data != NULL) {
    snprintf(property, sizeof property, "property_%s", c->property);
    for (char *p = property; *p != 0; p++) {
      if (*p == '-') *p = '_';
    }
  }
  fprintf(out, "// %s: %s.\n// Source: %s\n// Build: cc -std=c11 -pthread -o reproduce reproduce.c\n#define REPRODUCER\n",
          c->name, c->title, c->clause);
  const char *const support[] = {embedded_embed_h,    embedded_conformance_h, embedded_point_h,   embedded_property_h,
                                 embedded_support_h, embedded_names_c,       embedded_support_c, embedded_trial_c};
  fputs("#define _GNU_SOURCE 1\n", out);
  for (size_t i = 0; i < sizeof support / sizeof *support; i++) print_text(support[i], out);
  if (!print_named(table, out) || (*property != 0 && !print_named(property, out))) {
    fprintf(stderr, "kev-conformance: the source of %s is not part of this program\n", c->name);
    return 2;
  }
  print_main(c, table, *property != 0 ? property : NULL, out);
  return 0;
}

int source_print(const char *case_name, FILE *out) {
  for (size_t i = 0; i < case_count; i++) {
    if (strcmp(cases[i].name, case_name) == 0) return print_case(&cases[i], out);
  }
  fprintf(stderr, "kev-conformance: there is no case %s (see --list)\n", case_name);
  return 2;
}
