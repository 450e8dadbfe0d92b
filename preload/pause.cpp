// The calls that sleep for a time, or until any signal.
//
// Where a filter may name the very system call that this C library uses, it is left to it: nanosleep() is nanosleep in
// some and clock_nanosleep in others. A sleep takes nothing that could be lost.
#include <climits>
#include <ctime>
#include <sys/syscall.h>

#include "preload/point.hpp"
#include "process/quiet.hpp"

namespace kev::preload {

namespace {

bool sleeps_here() { return has_points(Family::sleep) && !process::is_quiet(); }

// 0, or -errno. `left` (may be null) is written if a handler ended the sleep.
int sleep_for(const timespec* time, timespec* left) {
  return static_cast<int>(raw_point(SYS_clock_nanosleep, CLOCK_REALTIME, 0, time, left));
}

}  // namespace

}  // namespace kev::preload

using namespace kev::preload;

extern "C" int kev_nanosleep(const timespec* time, timespec* left) {
  if (!sleeps_here()) return behind<&Next::nanosleep>(time, left);
  return static_cast<int>(result_of(sleep_for(time, left)));
}
KEV_ALIAS(__nanosleep, int, (const timespec* time, timespec* left), kev_nanosleep(time, left))

// Returns the error, and leaves errno alone.
extern "C" int kev_clock_nanosleep(clockid_t clock, int flags, const timespec* time, timespec* left) {
  if (!sleeps_here()) return behind<&Next::clock_nanosleep>(clock, flags, time, left);
  if (clock == CLOCK_THREAD_CPUTIME_ID) return EINVAL;
  return -static_cast<int>(raw_point(SYS_clock_nanosleep, clock, flags, time, left));
}

extern "C" int kev_thrd_sleep(const timespec* time, timespec* left) {
  if (!sleeps_here()) return behind<&Next::thrd_sleep>(time, left);
  int error = sleep_for(time, left);
  return error == 0 ? 0 : error == -EINTR ? -1 : -2;
}

extern "C" unsigned kev_sleep(unsigned seconds) {
  if (!sleeps_here()) return behind<&Next::sleep>(seconds);
  timespec time = {static_cast<time_t>(seconds), 0};
  int error = sleep_for(&time, &time);
  if (error == 0) return 0;
  errno = -error;
  return static_cast<unsigned>(time.tv_sec);
}

extern "C" int kev_usleep(useconds_t microseconds) {
  if (!sleeps_here()) return behind<&Next::usleep>(microseconds);
  timespec time = {static_cast<time_t>(microseconds / 1'000'000), static_cast<long>(microseconds % 1'000'000 * 1000)};
  return static_cast<int>(result_of(sleep_for(&time, nullptr)));
}

extern "C" int kev_pause(void) {
  if (!has_points(Family::sleep)) return behind<&Next::pause>();
#ifdef SYS_pause
  return static_cast<int>(point(SYS_pause));
#else
  return static_cast<int>(point(SYS_ppoll, nullptr, 0, nullptr, nullptr));
#endif
}
