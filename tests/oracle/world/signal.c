// Signals: sent to the thread itself, let in by a mask, handled in the ways that programs do.
#include <errno.h>
#include <fcntl.h>
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

int handlers;

static void handle(int signal) {
  int saved = errno;
  __atomic_add_fetch(&handlers, 1, __ATOMIC_ACQ_REL);
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
      int result = poll(world.array[array], (nfds_t)world.length[array], 0);
      say(world.bypassed ? 0 : result);  // which may be late
      break;
    }
    case ACTION_JUMP:
      if (jump != NULL) {
        errno = saved;
        __atomic_sub_fetch(&handlers, 1, __ATOMIC_ACQ_REL);
        siglongjmp(*jump, 1);
      }
      break;
    case ACTION_FORK: {
      // What the child finds does not show in the parent, which was interrupted.
      unsigned array = (unsigned)world.action_array[signal] % ARRAYS;
      pid_t pid = fork();
      if (pid == 0) {
        int result = poll(world.array[array], (nfds_t)world.length[array], 0);
        _exit(world.bypassed ? 0 : result & 63);
      }
      int status = 0;
      while (pid > 0 && raw(SYS_wait4, pid, &status, 0, 0) == -EINTR) continue;
      say(pid > 0 ? status : -1);
      break;
    }
    case ACTION_DUP: {
      // Which number it gets, in the midst of a wait of the core, is in docs/differences.md.
      int high = fcntl(fd, F_DUPFD, 1000);
      say(high >= 0);
      if (high >= 0) close(high);
      break;
    }
    default: break;
  }
  __atomic_sub_fetch(&handlers, 1, __ATOMIC_ACQ_REL);
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

int __sigsuspend(const sigset_t*);
int __sigpause(int, int);
int __xpg_sigpause(int);

// Until any signal: at the latest the one by which waits without end are ended.
void op_suspend(const int32_t* a) {
  struct Timeout timeout;
  sigset_t set;
  begin_wait(&timeout, TIMEOUT_NEVER);
  if (mask_of(a[1], &set) == NULL) sigemptyset(&set);
  int result;
  switch (a[0]) {
    case 1: result = __sigsuspend(&set); break;
    case 2: result = __xpg_sigpause(SIGUSR1); break;
    case 3: result = __sigpause(1 << (SIGUSR1 - 1), 0); break;
    case 4: result = __sigpause(SIGUSR2, 1); break;
    case 5: result = pause(); break;
    default: result = sigsuspend(&set);
  }
  end_wait(&timeout, result);
  say_result(result);
}

// A pending signal is taken without its handler.
void op_take_signal(const int32_t* a) {
  struct timespec none = {0, 0};
  siginfo_t info = {0};
  sigset_t set, pending;
  sigemptyset(&set);
  sigpending(&pending);
  bool there = false;
  for (int i = 0; i < 2; ++i)
    if (a[0] >> i & 1) {
      sigaddset(&set, numbers[i]);
      there = there || sigismember(&pending, numbers[i]);
    }
  int taken = 0;
  switch (there ? a[1] : 0) {
    case 1: say_result(sigwait(&set, &taken)); break;
    case 2: taken = sigwaitinfo(&set, &info); break;
    case 3: taken = sigtimedwait(&set, NULL, &none); break;
    default: taken = sigtimedwait(&set, &info, &none);
  }
  say_result(taken);
  say(info.si_code);
}

void op_handler(const int32_t* a) {
  int signal = signal_of(a[0]);
  world.action[signal] = a[1];
  world.action_slot[signal] = a[2];
  world.action_array[signal] = a[3];
  install(signal, handle, a[1] == ACTION_RESTART ? SA_RESTART : 0);
  say(0);
}
