// An array that grew within its page was answered by the core, also beyond the descriptor limit.
// Natively -1 22 (EINVAL) at the end, with the shim 0.
#include "replay.h"

REPLAY(0,
  OP_AS(0, entries, 3, 1, 0, 0),
  OP_AS(0, limit, 57),
  OP_AS(0, poll, 3, 0, 0),
  OP_AS(0, length, 3, 62),
  OP_AS(0, poll, 3, 0, 0)
)
