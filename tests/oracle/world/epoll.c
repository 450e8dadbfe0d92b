// epoll sets of the program's own.
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "world.h"

enum { MOST = 32 };

// Data are the slot, so that they mean the same in both worlds.
void op_epoll_ctl(const int32_t* a) {
  struct epoll_event event = {(uint32_t)a[3], {.u64 = (uint64_t)a[2]}};
  say_result(epoll_ctl(fd_of(a[0]), a[1], fd_of(a[2]), &event));
}

// In which order events come is left open.
static int by_slot(const void* a, const void* b) {
  const struct epoll_event* left = a;
  const struct epoll_event* right = b;
  return left->data.u64 < right->data.u64 ? -1 : left->data.u64 > right->data.u64;
}

static void wait_for(int slot, int maximum, int timeout_argument, int mask_argument, bool spec) {
  struct epoll_event events[MOST];
  struct Timeout timeout;
  sigset_t set;
  if (maximum > MOST) maximum = MOST;
  begin_wait(&timeout, timeout_argument);
  int result;
  if (spec)
    result = epoll_pwait2(fd_of(slot), events, maximum, timeout.ms == TIMEOUT_NEVER ? NULL : &timeout.spec, NULL);
  else if (mask_argument != -2)
    result = epoll_pwait(fd_of(slot), events, maximum, milliseconds(timeout.ms), mask_of(mask_argument, &set));
  else
    result = epoll_wait(fd_of(slot), events, maximum, milliseconds(timeout.ms));
  end_wait(&timeout, result);
  say_result(result);
  if (result > 1) qsort(events, (size_t)result, sizeof *events, by_slot);
  for (int i = 0; i < result; ++i) {
    say((int)events[i].data.u64);
    say((int)events[i].events);
  }
}

void op_epoll_wait(const int32_t* a) { wait_for(a[0], a[1], a[2], -2, false); }
void op_epoll_pwait(const int32_t* a) { wait_for(a[0], a[1], a[2], a[3], false); }
void op_epoll_pwait2(const int32_t* a) { wait_for(a[0], a[1], a[2], -2, true); }

void op_epoll_wrong(const int32_t* a) {
  struct epoll_event events[4];
  int fd = fd_of(a[1]);
  switch (a[0]) {
    case 0: return say_result(epoll_wait(fd, events, 0, 0));
    case 1: return say_result(epoll_wait(fd, events, -1, 0));
    case 2: return say_result(epoll_wait(fd, NULL, 4, 0));
    case 3: return say_result(epoll_ctl(fd, 77, fd, events));
    case 4: return say_result(epoll_ctl(fd, EPOLL_CTL_ADD, fd, NULL));
    case 5: return say_result(epoll_create1(77));
    case 6: return say_result(epoll_create(0));
    default: return say_result(epoll_wait(fd, events, 1 << 30, 0));
  }
}
