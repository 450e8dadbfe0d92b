// What the waits share: timeouts that cannot last, masks, and waits that are made again.
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>

#include "world.h"

enum { GUARD_MS = 4 };

static long now_ns(void) {
  struct timespec now;
  raw(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000L + now.tv_nsec;
}

// A thread of its own cannot be chosen for the timer: only the one that waits lets its signal in.
static void guard(int ms) {
  struct itimerval every = {{0, ms * 1000}, {0, ms * 1000}};
  raw(SYS_setitimer, ITIMER_REAL, &every, 0);
  sigset_t alarm;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  raw(SYS_rt_sigprocmask, ms > 0 ? SIG_UNBLOCK : SIG_BLOCK, &alarm, 0, 8);
}

_Thread_local bool waits_for_ever;

void begin_wait(struct Timeout* timeout, int argument) {
  if (waits_for_ever && argument >= TIMEOUT_NEVER) argument = TIMEOUT_NEVER;
  timeout->ms = argument;
  timeout->guarded = argument == TIMEOUT_NEVER && !waits_for_ever;
  timeout->spec = (struct timespec){argument / 1000, argument % 1000 * 1000000L};
  if (argument == TIMEOUT_NEGATIVE) timeout->spec = (struct timespec){-1, 0};
  if (argument == TIMEOUT_NANOSECONDS) timeout->spec = (struct timespec){0, 1000000000};
  if (timeout->guarded) guard(GUARD_MS);
  timeout->began_ns = argument > 0 ? now_ns() : 0;
}

void end_wait(struct Timeout* timeout, long result) {
  if (timeout->guarded) guard(0);
  // Too early is wrong; how late is the scheduler's affair.
  if (timeout->ms > 0 && result == 0) say(now_ns() - timeout->began_ns >= timeout->ms * 1000000L);
}

// glibc before 2.41 makes a wait cancellable by the asynchronous type, and a thread that was jumped out of it keeps that.
void leave_wait(void) {
  pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, NULL);
  struct timespec none = {0, 0};
  sigset_t alarm;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  guard(0);
  raw(SYS_rt_sigtimedwait, &alarm, 0, &none, 8);
}

// In poll's and epoll_wait's words: an invalid timeout is one without end, which must not be.
int milliseconds(int argument) { return argument < TIMEOUT_NEVER ? 0 : argument; }

sigset_t* mask_of(int argument, sigset_t* set) {
  if (argument < 0) return NULL;
  sigemptyset(set);
  if (argument & 1) sigaddset(set, SIGUSR1);
  if (argument & 2) sigaddset(set, SIGUSR2);
  if (argument & 4) {
    sigfillset(set);
    sigdelset(set, SIGALRM);
    sigdelset(set, SIGNAL_NUDGE);
  }
  return set;
}

// After a close that libc did not see, an answer may be a verification period late, but never wrong: it is looked at
// again then. `same`: the kernel, asked beside libc, says the same.
bool settle_bypass(bool same) {
  if (!world.bypassed || same) return false;
  pause_ms(12);
  return true;
}
