// F_DUPFD counted from a number that was the shim's: the next one came.
// Natively 40, the shim 41.
#include "replay.h"

REPLAY(0,
  OP_AS(0, eventfd, 19, 0, 0),
  OP_AS(0, pipe2, 4, 0, 0),
  OP_AS(0, entries, 5, 1, 0, 0),
  OP_AS(0, entries, 0, 1, 0, 0),
  OP_AS(0, bit, 0, 0, 19),
  OP_AS(0, bit, 1, 0, 4),
  OP_AS(0, poll, 5, 0, 0),
  OP_AS(0, poll, 0, 0, 0),
  OP_AS(0, select, 0, 0, 0),
  OP_AS(0, poll, 5, 0, 0),
  OP_AS(0, pselect, 1, 0, 0, 0),
  OP_AS(0, poll, 0, 0, 0),
  OP_AS(0, pselect, 1, 0, 0, 0),
  OP_AS(0, select, 0, 0, 0),
  OP_AS(0, fcntl_dup, 0, 19, 40, 0)
)
