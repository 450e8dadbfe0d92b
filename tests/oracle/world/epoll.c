// epoll sets of the program's own.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "world.h"

enum { MOST = 32 };

bool is_epoll_set(int fd) {
  char path[32], file[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return raw(SYS_readlinkat, AT_FDCWD, path, file, sizeof file) == 22 && memcmp(file, "anon_inode:[eventpoll]", 22) == 0;
}

// A set that stands in another one, that one thread asks and another closes: docs/differences.md.
static bool has_threads(void) {
  for (unsigned i = 0; i < shared->count; ++i)
    if (shared->op[i].thread % THREADS != 0 || shared->op[i].kind == OP_thread || shared->op[i].kind == OP_during) return true;
  return false;
}

// Data are the slot, so that they mean the same in both worlds.
void op_epoll_ctl(const int32_t* a) {
  struct epoll_event event = {(uint32_t)a[3], {.u64 = (uint64_t)a[2]}};
  if (a[1] == EPOLL_CTL_ADD && is_epoll_set(fd_of(a[2]))) {
    if (world.asked && has_threads()) return say(-1);
    world.nested = true;
  }
  say_result(epoll_ctl(fd_of(a[0]), a[1], fd_of(a[2]), &event));
}

// In which order events come is left open.
static int by_slot(const void* a, const void* b) {
  const struct epoll_event* left = a;
  const struct epoll_event* right = b;
  return left->data.u64 < right->data.u64 ? -1 : left->data.u64 > right->data.u64;
}

static void say_events(int result, struct epoll_event* events) {
  say_result(result);
  if (result > 1) qsort(events, (size_t)result, sizeof *events, by_slot);
  for (int i = 0; i < result; ++i) {
    say((int)events[i].data.u64);
    say((int)events[i].events);
  }
}

// By the kernel, asked beside libc.
static bool is_empty_set(int fd) {
  struct pollfd look = {fd, POLLIN, 0};
  struct timespec none = {0, 0};
  return is_epoll_set(fd) && raw(SYS_ppoll, &look, 1, &none, 0, 8) == 0;
}

// epoll_wait() with timeout 0, which a doorbell may answer; or another call for the same.
static int ask(int fd, struct epoll_event* events, int maximum) {
  if (world.nested && has_threads()) return epoll_pwait(fd, events, maximum, 0, NULL);
  world.asked = true;
  int result = epoll_wait(fd, events, maximum, 0);
  return result == 0 && settle_bypass(is_empty_set(fd)) ? epoll_wait(fd, events, maximum, 0) : result;
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
  else if (timeout.ms == 0)
    result = ask(fd_of(slot), events, maximum);
  else
    result = epoll_wait(fd_of(slot), events, maximum, milliseconds(timeout.ms));
  end_wait(&timeout, result);
  say_events(result, events);
}

// A program that asks without waiting does so again and again, with the same buffer: from the third call on the answer
// "nothing" may come from memory.
void op_epoll_again(const int32_t* a) {
  enum { TIMES = 5 };
  static __thread struct epoll_event events[MOST];
  for (int i = 0; i < TIMES; ++i) {
    int result = ask(fd_of(a[0]), events, MOST);
    say_events(result, events);
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
