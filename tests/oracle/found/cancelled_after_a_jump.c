// A handler left a wait by siglongjmp, and the next wait of that thread was cancelled. glibc before 2.41 leaves the
// thread with the asynchronous type then, and one that ends as it enables cancellation does not end as a cancelled one.
// Natively 0 (not PTHREAD_CANCELED) at the end of the wait, with the shim 1: the world puts the type back since.
#include "replay.h"

REPLAY(0,
  OP_AS(0, handler, 1, ACTION_JUMP, 0, 0),
  OP_AS(0, during, 2, 0),
    OP_AS(0, poll, 0, 0, 0),
    OP_AS(0, signal_waiter, 1),
  OP_AS(0, during, 2, 1),
    OP_AS(0, ppoll, 0, 0, 0, 0),
    OP_AS(0, cancel_waiter, 0)
)
