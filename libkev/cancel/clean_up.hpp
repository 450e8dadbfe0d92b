// A wait with something to do if the thread is cancelled in it.
#pragma once

namespace kev::cancel {

// Returns body(argument); runs `clean_up(argument)` first if the thread ends in it, of whatever type its cancellation is.
// By the C library's own list of handlers: the core has no unwinding of its own.
long run_with_clean_up(long (*body)(void*), void (*clean_up)(void*), void* argument);

}  // namespace kev::cancel
