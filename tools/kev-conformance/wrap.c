// The folding of wrap.h.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "wrap.h"

#include "escape.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

unsigned wrap_width(FILE *out) {
  struct winsize size;
  const char *columns = getenv("COLUMNS");
  unsigned width = 100;
  if (fileno(out) >= 0 && ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    width = size.ws_col;
  else if (columns != NULL && atoi(columns) > 0)
    width = (unsigned)atoi(columns);
  return width < 40 ? 40 : width;
}

static size_t columns_of(const char *text, size_t bytes) {
  size_t columns = 0;
  for (size_t i = 0; i < bytes; i++) columns += ((unsigned char)text[i] & 0xc0) != 0x80;
  return columns;
}

size_t wrap_columns(const char *text) {
  return columns_of(text, strlen(text));
}

void wrap_text(FILE *out, unsigned width, size_t at, unsigned indent, const char *text) {
  bool first = true; // no blank before the first word of a line
  while (*(text += strspn(text, " ")) != 0) {
    size_t bytes = strcspn(text, " ");
    size_t columns = columns_of(text, bytes);
    if (!first && at + 1 + columns > width) {
      fprintf(out, "\n%*s", (int)indent, "");
      at = indent;
    } else if (!first) {
      fputc(' ', out);
      at++;
    }
    escape_line(out, text, bytes);
    at += columns;
    text += bytes;
    first = false;
  }
  fputc('\n', out);
}
