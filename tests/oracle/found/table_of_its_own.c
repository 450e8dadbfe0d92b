// A thread got a descriptor table of its own while a mirror stood: what the shim closed afterwards in one table was open
// for ever in the other.
// Natively only the program's descriptors are open at the end; with the shim, 48 too.
#include "replay.h"

REPLAY(0,
  OP_AS(0, eventfd, 1, 0, 0),
  OP_AS(3, eventfd, 2, 0, 0),
  OP_AS(0, close_range, 30, 34, 2),
  OP_AS(0, entries, 0, 8, 0, POLLIN),
  OP_AS(0, poll, 0, 0, 0),
  OP_AS(0, poll, 0, 0, 0),
  OP_AS(3, close_range, 20, 25, 0),
  OP_AS(0, check, 0)
)
