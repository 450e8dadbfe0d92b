// Making and ending queues; any thread. Allocates.
#pragma once

#include "queue/queue.hpp"

namespace kev::queue {

// 0 or -errno. Precondition: known flags, a power of two from 2 to 65536.
int create(Queue** out, uint32_t flags, uint32_t ring_entries);

// 0 or -EBUSY. `inherited`: in a child of fork, whose parent made it.
int destroy(Queue& queue, bool inherited);

}  // namespace kev::queue
