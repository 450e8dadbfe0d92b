// A closed number below the highest one, that a thread polls in an array which is new to it, became one of the shim's:
// there was no room above, and only the highest polled number was kept clear. poll() did not say POLLNVAL.
#include "replay.h"

REPLAY(0,
  OP_AS(0, pipe2, 1, 0, 0, 0),
  OP_AS(0, fcntl_dup, 0, 0, 1013, 0),
  OP_AS(0, fopen, 4, 0, 0),
  OP_AS(0, dup2_number, 9, 0, 993),
  OP_AS(0, syscall_close, 9),
  OP_AS(0, limit, 1024, 0),
  OP_AS(0, length, 4, 25),
  OP_AS(0, poll, 4, 0, 0, 0),
  OP_AS(0, poll, 4, 0, 0, 0),
  OP_AS(0, entry, 4, 0, 9, 0),
  OP_AS(0, thread, 4, 0)
)
