// A descriptor that had left the array, and was still watched, was ready: that kept a pending signal which ppoll()'s mask
// let in from being delivered.
// Natively -1 4 (EINTR) at the end, with the shim 0.
#include "replay.h"

REPLAY(0,
  OP_AS(0, entries, 2, 1, 0, 0),
  OP_AS(0, poll, 2, 0, 0),
  OP_AS(0, pipe2, 9, 19, 0),
  OP_AS(0, mask, SIG_BLOCK, 2),
  OP_AS(0, raise, 1),
  OP_AS(0, entry, 2, 0, 9, POLLIN),
  OP_AS(0, poll, 2, 0, 0),
  OP_AS(0, entry, 2, 0, 0, 0),
  OP_AS(0, write, 19, 1),
  OP_AS(0, ppoll, 2, 0, 0, 0)
)
