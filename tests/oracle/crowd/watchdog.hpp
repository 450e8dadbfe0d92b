// Finds waits that sleep over what stands.
#pragma once

#include "consumer.hpp"

namespace crowd {

// Tells of a hang. True: there is one.
bool look_for_hang(const Consumer* consumers, unsigned count);

}  // namespace crowd
