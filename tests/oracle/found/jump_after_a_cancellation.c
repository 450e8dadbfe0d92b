// As cancelled_after_a_jump, but the request came first: the thread had cancellation disabled.
// Natively 0 (not PTHREAD_CANCELED) at the end of the wait, with the shim 1: the world puts the type back since.
#include "replay.h"

REPLAY(0,
  OP_AS(0, handler, 1, ACTION_JUMP, 0, 0),
  OP_AS(0, during, 3, 1),
    OP_AS(0, select, 0, 0, 0),
    OP_AS(0, cancel_waiter, 0),
    OP_AS(0, signal_waiter, 1)
)
