// What one thread's cancellation needs to know, where other threads can find it.
//
// A word in static thread-local storage, which the C library lays out at the same distance from every thread's
// pthread_t: no table, no allocation, nothing to make before a thread can be cancelled, nothing to clean up after it.
// The C library clears it for each new thread. The stub (arch/<cpu>/syscall_cp.S) knows the first two offsets.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <pthread.h>

namespace kev::cancel {

struct Record {
  // Changes with every request for this thread, and with every signal that asks it to look. 0: none ever came.
  std::atomic<uint32_t> requests;
  // The value of `requests` for which the signals have all arrived. The thread's own, as the rest but `requests` is.
  uint32_t settled;
  // In the stub: the stack pointer of its frame, or of the innermost one if a handler interrupted it. 0 outside. After
  // a handler's siglongjmp out of a call it stays, until a signal finds it stale.
  std::atomic<uintptr_t> inside;
  // The value of `requests` after the last signal.
  std::atomic<uint32_t> arrived;
  // A canceller has taken it upon itself: those that come later have nothing to add.
  std::atomic<bool> told;
  // As pthread_setcancelstate() left it.
  std::atomic<bool> disabled;
  // A signal to itself is underway, blocked until a handler returns.
  std::atomic<bool> raised;
  // In cancel(), whose handlers' cancellation points do not act; and one was passed.
  bool cancels;
  bool passed_point;
};

static_assert(offsetof(Record, requests) == 0 && offsetof(Record, inside) == 8, "as in syscall_cp.S");
static_assert(std::atomic<uintptr_t>::is_always_lock_free && sizeof(std::atomic<uint32_t>) == 4, "words");

}  // namespace kev::cancel

extern "C" {
extern constinit thread_local kev::cancel::Record kev_cancel_self
    __attribute__((visibility("hidden"), tls_model("initial-exec")));
}

namespace kev::cancel {

inline Record& self() { return kev_cancel_self; }

// The record of `thread`, which must not have been joined.
inline Record& record_of(pthread_t thread) {
  uintptr_t distance = reinterpret_cast<uintptr_t>(&self()) - static_cast<uintptr_t>(pthread_self());
  return *reinterpret_cast<Record*>(static_cast<uintptr_t>(thread) + distance);
}

}  // namespace kev::cancel
