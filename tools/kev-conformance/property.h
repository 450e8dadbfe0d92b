// A property: something that holds for every cancellation point to which it applies.
//
// A file property_*.c exports one or two of them. `run` is called in the process of the case; it makes trials of the
// point and fills in the result.
#ifndef PROPERTY_H
#define PROPERTY_H

#include "point.h"

struct property {
  const char *name;
  const char *title; // with %s for the name of the point
  const char *clause;
  enum kind kind;
  bool (*applies)(const struct point *);
  void (*run)(const struct point *, struct result *);
  const char *file;
};

#ifdef EMBED_HEADERS
EMBED_SOURCE(property_h);
#endif

#endif
