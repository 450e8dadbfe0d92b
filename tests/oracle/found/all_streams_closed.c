// A fcloseall(), which closes no descriptor, made the shim forget which ones were its own: they showed, and stayed open.
#include "replay.h"

REPLAY(0,
  OP_AS(0, pipe2, 0, 1, 0),
  OP_AS(0, entries, 0, 8, 0, POLLIN),
  OP_AS(0, poll, 0, 0, 0),
  OP_AS(0, poll, 0, 0, 0),
  OP_AS(0, poll, 0, 0, 0),
  OP_AS(0, fcloseall, 0)
)
