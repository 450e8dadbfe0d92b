// A number that the program had closed became the shim's, and whoever still waited for it found it open.
// Natively 32 (POLLNVAL) at the end, with the shim nothing.
#include "replay.h"

REPLAY(0,
  OP_AS(0, timerfd, 1),
  OP_AS(0, eventfd, 7, 0, 0),
  OP_AS(0, entries, 0, 1, 0, 0),
  OP_AS(0, entries, 1, 1, 0, 0),
  OP_AS(0, bit, 1, 0, 1),
  OP_AS(0, fcntl_dup, 0, 1, 38, 0),
  OP_AS(0, ppoll, 0, 0, 0, 0),
  OP_AS(0, closefrom, 5),
  OP_AS(0, poll, 1, 0, 0),
  OP_AS(0, ppoll, 0, 0, 0, 0),
  OP_AS(0, bit, 0, 0, 1),
  OP_AS(0, select, 0, 0, 0),
  OP_AS(0, select, 0, 0, 0),
  OP_AS(0, select, 1, 0, 0),
  OP_AS(0, poll_one, 0, 0, 0),
  OP_AS(0, poll, 1, 0, 0),
  OP_AS(0, select, 1, 0, 0),
  OP_AS(0, poll_one, 1, 0, 0)
)
