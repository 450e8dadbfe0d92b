// kev_wait and kev_sleep: looking, and sleeping when there is nothing to see. Cancellation points.
#pragma once

#include <csignal>

#include "queue/queue.hpp"
#include "wait/deadline.hpp"

namespace kev::queue {

struct Wait {
  kev_event* out;  // null: kev_sleep, which takes nothing
  unsigned min, max;
  uint64_t seen;  // kev_sleep's
  const wait::Deadline& deadline;
  bool end_on_clock_set;
  const sigset_t* mask;
};

// kev_wait where the ring has enough and nothing else is to be seen to; 0: it is to go on with wait_on(). No
// cancellation point.
unsigned take_quickly(Queue& queue, kev_event* out, unsigned min, unsigned max);

// The count of events (kev_wait), 1 or 0 (kev_sleep), or -errno.
int wait_on(Queue& queue, const Wait& wait);

}  // namespace kev::queue
