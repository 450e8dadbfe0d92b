// Posting a user event, without a lock: any thread, any signal handler.
#pragma once

#include "queue/queue.hpp"

namespace kev::queue {

// kev_post's result. Precondition: check() is 0.
int post(Queue& queue, uint64_t id, int64_t result, const uint64_t* data);

}  // namespace kev::queue
