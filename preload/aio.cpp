// Waits that libc makes inside itself, for memory that another thread or the kernel changes.
//
// libc's own act on a request that comes while they wait, and take nothing then. One that is pending already they find
// only if they have to wait: here it is acted on first, as POSIX has it. Whatever else they do is libc's.
#include <cerrno>

#include "cancel/point.hpp"
#include "preload/point.hpp"

namespace kev::preload {

namespace {

void look_first() {
  if (has_points(Family::memory)) cancel::pass_point();
}

}  // namespace

}  // namespace kev::preload

using namespace kev::preload;

extern "C" int kev_aio_suspend(const aiocb* const* list, int count, const timespec* timeout) {
  look_first();
  return behind<&Next::aio_suspend>(list, count, timeout);
}

extern "C" int kev_aio_suspend64(const aiocb64* const* list, int count, const timespec* timeout) {
  look_first();
  return behind<&Next::aio_suspend64>(list, count, timeout);
}

extern "C" int kev_sem_clockwait(sem_t* semaphore, clockid_t clock, const timespec* until) {
  look_first();
  return behind<&Next::sem_clockwait>(semaphore, clock, until);
}

// Without libpthread (glibc before 2.34) there is no thread to join.
extern "C" int kev_pthread_join(pthread_t thread, void** result) {
  look_first();
  const Next& libc = real_threads();
  return libc.pthread_join == nullptr ? ESRCH : libc.pthread_join(thread, result);
}

extern "C" int kev_thrd_join(thrd_t thread, int* result) {
  look_first();
  const Next& libc = real_threads();
  constexpr int kError = 2;  // thrd_error; a macro in some, an enumerator in others
  return libc.thrd_join == nullptr ? kError : libc.thrd_join(thread, result);
}
