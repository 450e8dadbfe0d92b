// A handler left a wait of another thread by siglongjmp: what that thread's mirrors held was in the program's way until
// the thread waited again. Which number shows it depends on the descriptor table's size.
// Natively 48, 112, 240, 496; with the shim, one of them was taken.
#include "replay.h"

REPLAY(0,
  OP_AS(0, entries, 2, 1, 0, 0),
  OP_AS(0, poll, 2, 0, 0),
  OP_AS(0, poll, 2, 0, 0),
  OP_AS(3, during, 1, 0),
    OP_AS(0, poll, 2, 0, 0),
  OP_AS(0, handler, 0, ACTION_JUMP, 0, 0),
  OP_AS(3, during, 2, 0),
    OP_AS(0, poll, 2, 0, 0),
    OP_AS(0, signal_waiter, 0),
  OP_AS(0, socketpair, 21, 0, 0),
  OP_AS(0, fcntl_dup, 0, 0, 48, 0),
  OP_AS(0, fcntl_dup, 1, 0, 112, 0),
  OP_AS(0, fcntl_dup, 2, 0, 240, 0),
  OP_AS(0, fcntl_dup, 3, 0, 496, 0)
)
