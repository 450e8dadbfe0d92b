// poll and ppoll.
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "world.h"

// The checked forms that a program compiled with _FORTIFY_SOURCE calls.
int __poll(struct pollfd*, nfds_t, int);
int __poll_chk(struct pollfd*, nfds_t, int, size_t);
int __ppoll_chk(struct pollfd*, nfds_t, const struct timespec*, const sigset_t*, size_t);

static void say_entries(const struct pollfd* entries, int count) {
  for (int i = 0; i < count; ++i)
    if (entries[i].revents != 0) {
      say(i);
      say(entries[i].revents);
    }
}

// An entry that is reported and that the kernel does not report is an error at once; one that is missing may come late.
static bool agrees_with_kernel(const struct pollfd* entries, int count, int result) {
  if (result < 0) return true;
  struct pollfd fresh[ENTRIES];
  struct timespec none = {0, 0};
  memcpy(fresh, entries, (size_t)count * sizeof *fresh);
  raw(SYS_ppoll, fresh, count, &none, 0, 8);
  bool same = true;
  for (int i = 0; i < count; ++i) {
    if (entries[i].revents & ~fresh[i].revents) say(-2000 - i);
    same = same && entries[i].revents == fresh[i].revents;
  }
  return same;
}

enum { NO_MASK = -2 };

static int make(struct pollfd* entries, int count, int timeout_argument, int mask_argument, int way) {
  struct Timeout timeout;
  // Beside the stack as well.
  static _Thread_local sigset_t elsewhere;
  sigset_t here;
  sigset_t* set = count % 4 == 0 ? &elsewhere : &here;
  begin_wait(&timeout, timeout_argument);
  int result;
  if (mask_argument != NO_MASK && count % 2 == 0)
    result = __ppoll_chk(entries, (nfds_t)count, timeout.ms == TIMEOUT_NEVER ? NULL : &timeout.spec,
                         mask_of(mask_argument, set), ENTRIES * sizeof *entries);
  else if (mask_argument != NO_MASK)
    result = ppoll(entries, (nfds_t)count, timeout.ms == TIMEOUT_NEVER ? NULL : &timeout.spec,
                   mask_of(mask_argument, set));
  else if (way == 1)
    result = __poll(entries, (nfds_t)count, milliseconds(timeout.ms));
  else if (count % 2)
    result = poll(entries, (nfds_t)count, milliseconds(timeout.ms));
  else
    result = __poll_chk(entries, (nfds_t)count, milliseconds(timeout.ms), ENTRIES * sizeof *entries);
  end_wait(&timeout, result);
  return result;
}

static void wait_by(int way, struct pollfd* entries, int count, int timeout, int mask) {
  // No signals are let in either: one that is pending would end the wait before the late answer.
  if (world.bypassed) timeout = 0, mask = NO_MASK;
  int result = make(entries, count, timeout, mask, way);
  if (world.bypassed && settle_bypass(agrees_with_kernel(entries, count, result)))
    result = make(entries, count, timeout, mask, way);
  say_result(result);
  if (result >= 0) say_entries(entries, count);
}

static void wait_for(struct pollfd* entries, int count, int timeout, int mask) {
  wait_by(0, entries, count, timeout, mask);
}

static int length_from(const int32_t* a, struct pollfd** entries) {
  unsigned array = (unsigned)a[0] % ARRAYS;
  int from = world.length[array] > 0 ? (int)((unsigned)a[1] % (unsigned)world.length[array]) : 0;
  *entries = world.array[array] + from;
  return world.length[array] - from;
}

void op_poll(const int32_t* a) {
  struct pollfd* entries;
  int count = length_from(a, &entries);
  wait_by(a[3], entries, count, a[2], NO_MASK);
}

static unsigned hash_of(const struct pollfd* entries, int count, int result) {
  unsigned hash = (unsigned)result;
  for (int i = 0; i < count; ++i) hash = (hash ^ (unsigned short)entries[i].revents) * 16777619u;
  return hash;
}

// As often as it takes until an entry is watched that was asked directly, and until what nobody waits for is given up:
// each answer is the first one's.
static void poll_many(struct pollfd* entries, int count, int times) {
  unsigned hash = 0;
  int changes = -1;
  for (int i = 0; i < times; ++i) {
    int result = poll(entries, (nfds_t)count, 0);
    unsigned now = hash_of(entries, count, result);
    changes += i == 0 || now != hash;
    hash = now;
    if (i == 0) say_result(result);
  }
  say(changes);
  say((int)hash);
}

void op_poll_often(const int32_t* a) {
  unsigned array = (unsigned)a[0] % ARRAYS;
  if (world.bypassed) return wait_for(world.array[array], world.length[array], 0, NO_MASK);
  poll_many(world.array[array], world.length[array], a[1]);
}

// More descriptors than there are slots, which all leave the array at once.
void op_poll_herd(const int32_t* a) {
  enum { MOST = 128 };
  static struct pollfd herd[MOST];
  int made[MOST];
  int count = (unsigned)a[2] * 2 % (MOST + 1);
  if (world.bypassed) return say(0);
  int have = 0;
  while (have < count && (made[have] = dup(fd_of(a[1]))) >= 0) ++have;
  say(have);
  for (int i = 0; i < MOST; ++i) herd[i] = (struct pollfd){i < have ? made[i] : -1, POLLIN, 0};
  poll_many(herd, MOST, 24);
  for (int i = 1; i < MOST; ++i)
    if (i % 16 != 0) herd[i].fd = -1;
  poll_many(herd, MOST, 3);
  while (have > 0) close(made[--have]);
}

void op_ppoll(const int32_t* a) {
  struct pollfd* entries;
  int count = length_from(a, &entries);
  wait_for(entries, count, a[2], a[3]);
}

// The same entries at another address: an array of the caller's stack.
void op_poll_elsewhere(const int32_t* a) {
  unsigned array = (unsigned)a[0] % ARRAYS;
  struct pollfd entries[ENTRIES];
  memcpy(entries, world.array[array], sizeof entries);
  wait_for(entries, world.length[array], a[1], NO_MASK);
}

void op_poll_one(const int32_t* a) {
  struct pollfd entry = {fd_of(a[0]), (short)a[1], 0x55};
  wait_for(&entry, 1, a[2], NO_MASK);
}

void op_poll_wrong(const int32_t* a) {
  struct pollfd* entries = world.array[(unsigned)a[1] % ARRAYS];
  struct timespec negative = {0, -1};
  struct timespec too_many = {0, 1000000000};
  struct timespec none = {0, 0};
  switch (a[0]) {
    case 0: return say_result(poll(NULL, 3, 0));
    case 1: return say_result(poll(entries, RLIM_INFINITY, 0));
    case 2: return say_result(poll((struct pollfd*)8, 20, 0));
    case 3: return say_result(ppoll(entries, 4, &negative, NULL));
    case 4: return say_result(ppoll(entries, 4, &too_many, NULL));
    case 5: return say_result(poll(NULL, 0, 1));
    case 7: return say_result(ppoll(entries, 4, &none, (sigset_t*)8));
    default: return say_result(poll(entries, 1u << 30, 0));
  }
}
