// The signal by which a thread is told to look for a request: the C library's own, with our handler in front of its.
#pragma once

namespace kev::cancel {

// The C library's SIGCANCEL; no program can send, block or handle it by the C library's functions.
inline constexpr int kSignal = 32;

// Puts our handler in front of the one that stands there. Idempotent; not for two threads at once.
// System calls: rt_sigaction. False if there is none of the C library's to stand in front of.
bool install_handler();

// Sends the calling thread back to its interrupted call in a stub, if a handler runs on top of one, to look again.
void look_again_below();

}  // namespace kev::cancel
