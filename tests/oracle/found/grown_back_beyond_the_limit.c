// An array that had been longer once was answered by the core when it was that long again, beyond a descriptor limit that
// had been set meanwhile. Natively -1 22 (EINVAL) at the end, with the shim 0.
#include "replay.h"

REPLAY(0,
  OP_AS(0, entries, 5, 58, 0, 0),
  OP_AS(0, ppoll, 5, 0, 0, 0),
  OP_AS(0, length, 5, 1),
  OP_AS(0, limit, 56, 0),
  OP_AS(0, ppoll, 5, 0, 0, 0),
  OP_AS(0, length, 5, 57),
  OP_AS(0, poll, 5, 0, 0, 0)
)
