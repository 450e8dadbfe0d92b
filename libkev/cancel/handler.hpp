// The signal by which a thread is told to look for a request: the C library's own, with our handler in front of its.
#pragma once

namespace kev::cancel {

// The C library's SIGCANCEL; no program can send, block or handle it by the C library's functions.
inline constexpr int kSignal = 32;

// Puts our handler in front of the C library's, unless it stands there. False if there is none of the C library's yet:
// it comes with the first pthread_cancel() of a thread that has not ended (glibc 2.34), or with the program's start.
// Any thread. System calls: rt_sigaction.
bool stand_in_front();

// Whether our handler stands there now. System calls: rt_sigaction.
bool is_in_front();

// Sends the calling thread back to its interrupted call in a stub, if a handler runs on top of one, to look again.
void look_again_below();

}  // namespace kev::cancel
