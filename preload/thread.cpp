// The calls by which threads begin and are cancelled.
//
// The C library keeps the state and ends the thread; the core makes the thread look (libkev/cancel), whoever stands
// between us and the C library. In a process without libpthread (glibc before 2.34) there is nothing behind the first
// two: whoever asks for a thread gets none.
#include <cerrno>

#include "cancel/canceller.hpp"
#include "preload/shim.hpp"

using namespace kev::preload;
namespace cancel = kev::cancel;

extern "C" int kev_pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*),
                                  void* argument) {
  const Next& libc = real_threads();
  if (libc.pthread_create == nullptr) return EAGAIN;
  if (shim.cancels) cancel::before_first_thread();
  return libc.pthread_create(thread, attributes, start, argument);
}

extern "C" int kev_pthread_cancel(pthread_t thread) {
  const Next& libc = real_threads();
  if (libc.pthread_cancel == nullptr) return ESRCH;
  return shim.cancels ? cancel::cancel(thread) : libc.pthread_cancel(thread);
}

extern "C" int kev_pthread_setcancelstate(int state, int* before) {
  const Next& libc = real();
  if (libc.pthread_setcancelstate == nullptr) return ENOSYS;
  // Without libpthread there is no state that libc would keep.
  if (libc.pthread_cancel == nullptr) return libc.pthread_setcancelstate(state, before);
  cancel::state_changes(state);
  int error = libc.pthread_setcancelstate(state, before);
  if (error == 0) cancel::state_changed(state);
  return error;
}
