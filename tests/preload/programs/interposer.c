/* Another interposer, as a program's user may have one: counts polls, selects and closes, and hands them on. */
#include <dlfcn.h>
#include <poll.h>
#include <stdio.h>
#include <sys/select.h>

static int polls, selects, closes;

int poll(struct pollfd *fds, nfds_t count, int timeout) {
  static int (*next)(struct pollfd *, nfds_t, int);
  if (next == NULL) *(void **)&next = dlsym(RTLD_NEXT, "poll");
  polls++;
  return next(fds, count, timeout);
}

int select(int count, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout) {
  static int (*next)(int, fd_set *, fd_set *, fd_set *, struct timeval *);
  if (next == NULL) *(void **)&next = dlsym(RTLD_NEXT, "select");
  selects++;
  return next(count, in, out, except, timeout);
}

int close(int fd) {
  static int (*next)(int);
  if (next == NULL) *(void **)&next = dlsym(RTLD_NEXT, "close");
  closes++;
  return next(fd);
}

__attribute__((destructor)) static void end(void) {
  dprintf(1, "interposer: %d polls, %d selects, %d closes\n", polls, selects, closes);
}
