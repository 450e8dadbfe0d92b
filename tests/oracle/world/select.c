// select and pselect.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

#include "world.h"

static int highest(fd_set sets[3]) {
  for (int fd = FD_SETSIZE - 1; fd >= 0; --fd)
    if (FD_ISSET(fd, &sets[0]) || FD_ISSET(fd, &sets[1]) || FD_ISSET(fd, &sets[2])) return fd + 1;
  return 0;
}

static void say_sets(fd_set sets[3], int below) {
  for (int which = 0; which < 3; ++which)
    for (int fd = 0; fd < below; ++fd)
      if (FD_ISSET(fd, &sets[which])) say(which << 16 | fd);
}

int __select(int, fd_set*, fd_set*, fd_set*, struct timeval*);

struct Call {
  int set;
  int nulls;      // bit i: the i-th set is not passed
  int below;
  int timeout;
  int mask;       // -2: select
  int way;
};

// The kernel ignores numbers beyond its table, however large that is; within it, one that is closed is an error.
static void leave_out_doubtful(fd_set sets[3]) {
  enum { SMALLEST_TABLE = 64 };
  for (int fd = SMALLEST_TABLE; fd < FD_SETSIZE; ++fd)
    for (int which = 0; which < 3; ++which)
      if (FD_ISSET(fd, &sets[which]) && raw(SYS_fcntl, fd, F_GETFD) < 0) FD_CLR(fd, &sets[which]);
}

static int make(const struct Call* call, fd_set sets[3]) {
  fd_set* passed[3];
  leave_out_doubtful(world.wanted[call->set]);
  memcpy(sets, world.wanted[call->set], sizeof world.wanted[0]);
  for (int i = 0; i < 3; ++i) passed[i] = call->nulls >> i & 1 ? NULL : &sets[i];
  struct Timeout timeout;
  begin_wait(&timeout, call->timeout);
  int result;
  if (call->mask == -2) {
    struct timeval left = {timeout.spec.tv_sec, timeout.spec.tv_nsec / 1000};
    if (timeout.ms == TIMEOUT_NANOSECONDS) left = (struct timeval){0, -1};  // a million is taken for a second
    result = (call->way == 1 ? __select : select)(call->below, passed[0], passed[1], passed[2],
                                                  timeout.ms == TIMEOUT_NEVER ? NULL : &left);
    // What is left is told; how much is the scheduler's affair.
    if (result >= 0 && timeout.ms > 0) say(result == 0 ? left.tv_sec == 0 && left.tv_usec == 0 : left.tv_sec >= 0);
  } else {
    sigset_t set;
    result = pselect(call->below, passed[0], passed[1], passed[2], timeout.ms == TIMEOUT_NEVER ? NULL : &timeout.spec,
                     mask_of(call->mask, &set));
  }
  end_wait(&timeout, result);
  return result;
}

static bool agrees_with_kernel(const struct Call* call, fd_set sets[3], int result) {
  fd_set fresh[3];
  fd_set* passed[3];
  memcpy(fresh, world.wanted[call->set], sizeof fresh);
  for (int i = 0; i < 3; ++i) passed[i] = call->nulls >> i & 1 ? NULL : &fresh[i];
  struct timespec none = {0, 0};
  long truth = raw6(SYS_pselect6, call->below, (long)passed[0], (long)passed[1], (long)passed[2], (long)&none, 0);
  if (truth < 0 || result < 0) return (truth < 0) == (result < 0);
  for (int which = 0; which < 3; ++which)
    for (int fd = 0; fd < call->below; ++fd)
      if (passed[which] != NULL && FD_ISSET(fd, &sets[which]) && !FD_ISSET(fd, &fresh[which])) say(-2000 - fd);
  return truth == result;
}

static void wait_for(struct Call call) {
  fd_set* sets = world.set[call.set];
  if (world.bypassed) call.timeout = 0, call.mask = -2;
  int result = make(&call, sets);
  if (world.bypassed && settle_bypass(agrees_with_kernel(&call, sets, result))) result = make(&call, sets);
  say_result(result);
  say_sets(sets, call.below < FD_SETSIZE ? call.below : FD_SETSIZE);
}

static struct Call call_of(int set) {
  struct Call call = {(int)((unsigned)set % SETS), 0, 0, 0, -2, 0};
  call.below = highest(world.wanted[call.set]);
  return call;
}

void op_select(const int32_t* a) {
  struct Call call = call_of(a[0]);
  call.nulls = a[1];
  call.timeout = a[2];
  call.way = a[3];
  wait_for(call);
}

// As op_poll_often().
void op_select_often(const int32_t* a) {
  struct Call call = call_of(a[0]);
  if (world.bypassed) return wait_for(call);
  fd_set* sets = world.set[call.set];
  fd_set first[3];
  int changes = 0;
  int result = make(&call, sets);
  say_result(result);
  say_sets(sets, call.below);
  memcpy(first, sets, sizeof first);
  for (int i = 1; i < a[1]; ++i) changes += make(&call, sets) != result || memcmp(first, sets, sizeof first) != 0;
  say(changes);
}

void op_pselect(const int32_t* a) {
  struct Call call = call_of(a[0]);
  call.nulls = a[1];
  call.timeout = a[2];
  call.mask = a[3];
  wait_for(call);
}

// Looks at some of the numbers only.
void op_select_below(const int32_t* a) {
  struct Call call = call_of(a[0]);
  call.below = a[1];
  call.timeout = a[2];
  wait_for(call);
}

void op_select_wrong(const int32_t* a) {
  fd_set* sets = world.set[(unsigned)a[1] % SETS];
  struct timeval none = {0, 0};
  struct timeval negative = {0, -1};
  struct timeval second = {0, 1000000};
  memset(sets, 0, sizeof world.set[0]);
  switch (a[0]) {
    case 0: return say_result(select(-1, sets, NULL, NULL, &none));
    case 1: return say_result(select(8, (fd_set*)8, NULL, NULL, &none));
    case 2: return say_result(select(8, sets, NULL, NULL, &negative));
    case 3: return say_result(select(0, NULL, NULL, NULL, &none));
    case 4: return say_result(select(8, sets, sets, sets, &none));
    case 5: return say_result(select(-5, NULL, NULL, NULL, NULL));
    default: FD_SET(0, sets); return say_result(select(1, sets, NULL, NULL, &second));
  }
}
