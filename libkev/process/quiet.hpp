// Whether this process may make no system call but those that the program asked for: a seccomp filter may end it.
#pragma once

#include <atomic>

namespace kev::process {

// Until it is known that nothing forbids it.
inline constinit std::atomic<bool> quiet{true};

// Async-signal-safe.
inline bool is_quiet() { return quiet.load(std::memory_order_relaxed); }

}  // namespace kev::process
