// Signals: sent to the thread itself, let in by a mask, handled in the ways that programs do.
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "world.h"

static const int numbers[] = {SIGUSR1, SIGUSR2};
static _Thread_local volatile sig_atomic_t hits[65];
_Thread_local sigjmp_buf* jump;

static int signal_of(int argument) { return numbers[(unsigned)argument % 2]; }

static void nothing(int signal) { (void)signal; }

static void handle(int signal) {
  int saved = errno;
  hits[signal]++;
  int fd = fd_of(world.action_slot[signal]);
  char bytes[64] = {1};
  switch (world.action[signal]) {
    case ACTION_WRITE:
      if (fd >= 3) say((int)write(fd, bytes, 8));
      settle_terminal(fd);
      break;
    case ACTION_DRAIN:
      if (fd >= 3) say((int)read(fd, bytes, sizeof bytes) > 0);
      break;
    case ACTION_POLL: {
      unsigned array = (unsigned)world.action_array[signal] % ARRAYS;
      say(poll(world.array[array], (nfds_t)world.length[array], 0));
      break;
    }
    case ACTION_JUMP:
      if (jump != NULL) {
        errno = saved;
        siglongjmp(*jump, 1);
      }
      break;
    default: break;
  }
  errno = saved;
}

static void install(int signal, void (*handler)(int), int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigaction(signal, &action, NULL);
}

void prepare_signals(void) {
  signal(SIGPIPE, SIG_IGN);
  install(SIGALRM, nothing, 0);
  install(SIGNAL_NUDGE, nothing, 0);
  for (unsigned i = 0; i < 2; ++i) install(numbers[i], handle, 0);
  sigset_t alarm;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  raw(SYS_rt_sigprocmask, SIG_BLOCK, &alarm, 0, 8);
}

void say_signals(void) {
  for (unsigned i = 0; i < 2; ++i)
    if (hits[numbers[i]] != 0) {
      say(-3000 - (int)i);
      say(hits[numbers[i]]);
      hits[numbers[i]] = 0;
    }
}

void op_mask(const int32_t* a) {
  sigset_t set;
  sigset_t* mask = mask_of(a[1], &set);
  if (mask == NULL) return say(0);
  if (a[0] == SIG_BLOCK && (a[1] & 4)) return say(0);  // nothing would end what waits
  sigaddset(mask, SIGALRM);
  if (a[0] == SIG_UNBLOCK) sigdelset(mask, SIGALRM);
  say_result(sigprocmask(a[0], mask, NULL));
}

void op_raise(const int32_t* a) { say_result(raise(signal_of(a[0]))); }

void op_handler(const int32_t* a) {
  int signal = signal_of(a[0]);
  world.action[signal] = a[1];
  world.action_slot[signal] = a[2];
  world.action_array[signal] = a[3];
  install(signal, handle, a[1] == ACTION_RESTART ? SA_RESTART : 0);
  say(0);
}
