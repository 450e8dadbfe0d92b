// A system call that is a cancellation point: all of them go through the one stub of arch/<cpu>/syscall_cp.S.
//
// The stub looks for a request, makes the call and returns; a signal that finds it between the look and the result
// sends it to the cancel path instead (handler.cpp). So a call either has its result, or has done nothing: nothing is
// lost. Cancellation points all; async-signal-safe; errno is never touched.
#pragma once

namespace kev::cancel {

// In `how`, above the 32 bits that say which requests were looked at before (0 at first).
// On a request the stub returns kCancelled, for callers that hold something; they let go and call check().
inline constexpr unsigned long kReturn = 1ul << 32;
// What the stub returns then: no value of any system call.
inline constexpr long kCancelled = -4096;

}  // namespace kev::cancel

extern "C" {

// Makes system call `number`. Returns its value or -errno. A pending request is acted on first, and one that comes
// while the call waits; a request that finds cancellation disabled changes nothing.
__attribute__((visibility("hidden"))) long kev_syscall_cp(long a, long b, long c, long d, long e, long f, long number,
                                                          unsigned long how);

// The window, and where the stub lies; for the handler and the tests.
#define KEV_LABEL __attribute__((visibility("hidden"))) extern const char
KEV_LABEL kev_cp_start[];
KEV_LABEL kev_cp_begin[];
KEV_LABEL kev_cp_end[];
KEV_LABEL kev_cp_redirect[];
KEV_LABEL kev_cp_finish[];
#undef KEV_LABEL
}
