// Text made safe for XML, HTML, JSON, and for a line of a terminal. All of it writes straight to a stream.
//
// Input is meant to be UTF-8. Bytes that are not, and control characters, come out as U+FFFD, so that every report can
// be parsed whatever a case had to tell.
#ifndef ESCAPE_H
#define ESCAPE_H

#include <stddef.h>
#include <stdio.h>

// For element content and for attribute values in double quotes; good for XML and for HTML.
void escape_xml(FILE *out, const char *text);

// A JSON string with its quotes.
void escape_json(FILE *out, const char *text);

// The first `length` bytes of the text for a terminal or a line of fields: a tabulator or a newline becomes a blank.
void escape_line(FILE *out, const char *text, size_t length);

#endif
