// The escapes of escape.h: one walk over the code points, and a writer for each target.
#include "escape.h"

// The length of the well-formed sequence at `text`, or 0. Overlong forms and surrogates are not well-formed.
static size_t sequence_length(const unsigned char *text) {
  unsigned char first = text[0];
  if (first < 0x80) return 1;
  size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) return 0;
  for (size_t i = 1; i < length; i++)
    if ((text[i] & 0xc0) != 0x80) return 0;
  if (first == 0xe0 && text[1] < 0xa0) return 0;
  if (first == 0xed && text[1] > 0x9f) return 0;
  if (first == 0xf0 && text[1] < 0x90) return 0;
  if (first == 0xf4 && text[1] > 0x8f) return 0;
  return length;
}

// Writes what needs no escape of its own; returns the number of bytes that were used.
static size_t write_plain(FILE *out, const unsigned char *text) {
  size_t length = sequence_length(text);
  if (length == 0 || text[0] < 0x20 || text[0] == 0x7f) {
    fputs("\xef\xbf\xbd", out);
    return 1;
  }
  fwrite(text, 1, length, out);
  return length;
}

void escape_xml(FILE *out, const char *text) {
  const unsigned char *at = (const unsigned char *)text;
  while (*at != 0) {
    switch (*at) {
    case '&': fputs("&amp;", out); break;
    case '<': fputs("&lt;", out); break;
    case '>': fputs("&gt;", out); break;
    case '"': fputs("&quot;", out); break;
    case '\'': fputs("&#39;", out); break;
    case '\n': case '\t': fputc(' ', out); break;
    default: at += write_plain(out, at); continue;
    }
    at++;
  }
}

void escape_json(FILE *out, const char *text) {
  const unsigned char *at = (const unsigned char *)text;
  fputc('"', out);
  while (*at != 0) {
    switch (*at) {
    case '"': fputs("\\\"", out); break;
    case '\\': fputs("\\\\", out); break;
    case '\n': fputs("\\n", out); break;
    case '\t': fputs("\\t", out); break;
    default: at += write_plain(out, at); continue;
    }
    at++;
  }
  fputc('"', out);
}

void escape_line(FILE *out, const char *text, size_t length) {
  const unsigned char *at = (const unsigned char *)text, *end = at + length;
  while (at < end && *at != 0) {
    if (*at == '\t' || *at == '\n') {
      fputc(' ', out);
      at++;
    } else {
      at += write_plain(out, at);
    }
  }
}
