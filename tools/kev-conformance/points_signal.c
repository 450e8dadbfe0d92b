// The waits for signals: pause, sigsuspend, sigpause, sigwait, sigwaitinfo, sigtimedwait.
//
// SIGUSR1 has a handler and ends pause and its kin. SIGUSR2 is blocked in all threads and sent to the process, so that
// it stays pending if no thread takes it: a loss of sigwait is a signal that is no longer pending and that nobody saw.
#define _GNU_SOURCE 1
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static void handler(int signal_number) { (void)signal_number; }

static bool handler_setup(struct trial *t) {
  struct sigaction action = {.sa_handler = handler};
  (void)t;
  return sigaction(SIGUSR1, &action, NULL) == 0;
}
// sigsuspend and sigpause unblock the signal themselves.
static bool blocked_setup(struct trial *t) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  return handler_setup(t) && pthread_sigmask(SIG_BLOCK, &set, NULL) == 0;
}
static void handler_succeed(struct trial *t) { pthread_kill(t->thread, SIGUSR1); }

static void call_pause(struct trial *t) { TRIAL_CALL(t, pause()); }
static void call_sigsuspend(struct trial *t) {
  sigset_t none;
  sigemptyset(&none);
  TRIAL_CALL(t, sigsuspend(&none));
}
// Both C libraries declare the X/Open function, whose argument is a signal.
static void call_sigpause(struct trial *t) { TRIAL_CALL(t, sigpause(SIGUSR1)); }

static void usr2(sigset_t *set) {
  sigemptyset(set);
  sigaddset(set, SIGUSR2);
}
static bool wait_setup(struct trial *t) {
  sigset_t set;
  (void)t;
  usr2(&set);
  return pthread_sigmask(SIG_BLOCK, &set, NULL) == 0;
}
static void wait_succeed(struct trial *t) {
  (void)t;
  kill(getpid(), SIGUSR2);
}
static bool wait_effect(struct trial *t) {
  sigset_t set;
  (void)t;
  usr2(&set);
  return sigtimedwait(&set, NULL, &(struct timespec){0, 0}) != SIGUSR2;
}

static void call_sigwait(struct trial *t) {
  sigset_t set;
  int number = 0;
  usr2(&set);
  TRIAL_ERROR_CALL(t, sigwait(&set, &number));
}
static void call_sigwaitinfo(struct trial *t) {
  sigset_t set;
  siginfo_t info;
  usr2(&set);
  TRIAL_CALL(t, sigwaitinfo(&set, &info));
}
static void call_sigtimedwait(struct trial *t) {
  sigset_t set;
  siginfo_t info;
  struct timespec time = {1000, 0};
  usr2(&set);
  TRIAL_CALL(t, sigtimedwait(&set, &info, &time));
}

#define HANDLED(function, kind_, clause_, setup_)                                                                 \
  {.name = #function, .kind = kind_, .clause = clause_, .flags = POINT_BLOCKS | POINT_LATE | POINT_ENDS_EINTR,    \
   .setup = setup_, .call = call_##function, .succeed = handler_succeed}
#define WAITED(function)                                                                                          \
  {.name = #function, .kind = KIND_REQUIRED, .clause = POSIX_2017, .flags = POINT_BLOCKS | POINT_EFFECT,          \
   .lost = "the signal was consumed, and nobody saw it", .setup = wait_setup, .call = call_##function,            \
   .succeed = wait_succeed, .effect = wait_effect}

const struct point points_signal[] = {
  HANDLED(pause, KIND_REQUIRED, POSIX_2017, handler_setup),
  HANDLED(sigsuspend, KIND_REQUIRED, POSIX_2017, blocked_setup),
  HANDLED(sigpause, KIND_EXTRA, "POSIX.1-2001 XSH 2.9.5.2 (optional since 2008)", blocked_setup),
  WAITED(sigwait),
  WAITED(sigwaitinfo),
  WAITED(sigtimedwait),
  {.name = NULL},
};

EMBED_SOURCE(points_signal_c);
