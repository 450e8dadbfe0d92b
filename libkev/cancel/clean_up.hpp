// Acting on a request with something to do first.
#pragma once

namespace kev::cancel {

// check(), with `clean_up(argument)` run if the thread ends here. By the C library's own list of handlers: the core has
// no unwinding of its own.
void check_with_clean_up(void (*clean_up)(void*), void* argument);

}  // namespace kev::cancel
