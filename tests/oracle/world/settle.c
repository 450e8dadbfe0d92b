// What keeps a world's results from depending on time: after an operation whose effect comes by itself (a terminal's line
// discipline, a timer, a child's end) the harness waits until it is there.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "world.h"

void settle_readable(int fd) {
  struct pollfd entry = {fd, POLLIN, 0};
  struct timespec timeout = {0, 200 * 1000 * 1000};
  raw(SYS_ppoll, &entry, 1, &timeout, 0, 8);
}

// A terminal hands its data over by itself: wait until it is there.
void settle_terminal(int fd) {
  struct stat status;
  if (raw(SYS_fstat, fd, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev >> 8 != 1) pause_ms(5);
}

void make_nonblocking(int fd) {
  if (fd < 0) return;
  long flags = raw(SYS_fcntl, fd, F_GETFL);
  if (flags >= 0) raw(SYS_fcntl, fd, F_SETFL, flags | O_NONBLOCK);
}

void pause_ms(int ms) {
  struct timespec left = {ms / 1000, ms % 1000 * 1000000L};
  while (raw(SYS_nanosleep, &left, &left) == -EINTR) continue;
}

// A verification period of the core, and some.
void op_pass_time(const int32_t* a) {
  (void)a;
  pause_ms(6);
  say(0);
}
