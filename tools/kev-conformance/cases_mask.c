// Signal masks and cancellation: a mask that blocks everything still lets requests in, and the mask that a wait put in
// place for its time is gone when the cleanup handlers run.
//
// A mask of all bits, made by memset, also names the signals that the C library keeps for itself.
#define _GNU_SOURCE 1
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

enum { MASK_TRIES = 5, MASK_PATIENCE_MS = 2000 };

struct masked {
  void (*call)(struct masked *);
  sigset_t mask;
  int fd[3];
  bool usr1_blocked, usr2_blocked; // as the handler saw it
  atomic_int tid, ended;
};

static void call_ppoll(struct masked *m) {
  struct pollfd item = {m->fd[0], POLLIN, 0};
  ppoll(&item, 1, NULL, &m->mask);
}
static void call_pselect(struct masked *m) {
  fd_set set;
  FD_ZERO(&set);
  FD_SET(m->fd[0], &set);
  pselect(m->fd[0] + 1, &set, NULL, NULL, NULL, &m->mask);
}
static void call_epoll_pwait(struct masked *m) {
  struct epoll_event event;
  epoll_pwait(m->fd[2], &event, 1, -1, &m->mask);
}
static void call_sigsuspend(struct masked *m) { sigsuspend(&m->mask); }
static void call_read(struct masked *m) {
  char byte;
  pthread_sigmask(SIG_SETMASK, &m->mask, NULL);
  if (read(m->fd[0], &byte, 1) < 0) return;
}

static void call_plain_read(struct masked *m) {
  char byte;
  if (read(m->fd[0], &byte, 1) < 0) return;
}

static void look_at_mask(void *argument) {
  struct masked *m = argument;
  sigset_t now;
  pthread_sigmask(SIG_BLOCK, NULL, &now);
  m->usr1_blocked = sigismember(&now, SIGUSR1) == 1;
  m->usr2_blocked = sigismember(&now, SIGUSR2) == 1;
  atomic_store(&m->ended, 1);
}

// The thread's own mask has SIGUSR1 and not SIGUSR2.
static void *masked_body(void *argument) {
  struct masked *m = argument;
  sigset_t own;
  sigemptyset(&own);
  sigaddset(&own, SIGUSR1);
  pthread_sigmask(SIG_SETMASK, &own, NULL);
  pthread_cleanup_push(look_at_mask, m);
  atomic_store(&m->tid, gettid());
  m->call(m);
  pthread_cleanup_pop(1);
  return NULL;
}

// Cancels a thread in the wait. False: the verdict is there already.
static bool cancel_in(void (*call)(struct masked *), bool every_bit, struct masked *m, struct result *result) {
  pthread_t thread;
  struct epoll_event event = {.events = EPOLLIN};
  memset(m, 0, sizeof *m);
  m->call = call;
  if (every_bit) {
    memset(&m->mask, 0xff, sizeof m->mask);
  } else {
    sigfillset(&m->mask);
  }
  m->fd[2] = epoll_create1(EPOLL_CLOEXEC);
  if (pipe2(m->fd, O_CLOEXEC) != 0 || epoll_ctl(m->fd[2], EPOLL_CTL_ADD, m->fd[0], &event) != 0 ||
      pthread_create(&thread, NULL, masked_body, m) != 0) {
    skip(result, "the setup failed: %s", error_name(errno));
    return false;
  }
  for (int i = 0; i < 2000 && !(atomic_load(&m->tid) != 0 && thread_sleeps(atomic_load(&m->tid))); i++) sleep_ms(1);
  sleep_ms(2);
  pthread_cancel(thread);
  if (!wait_for(&m->ended, 1, MASK_PATIENCE_MS)) {
    // With every bit set that is what the system call was told to do: no reason to look for stuck threads.
    void (*verdict)(struct result *, const char *, ...) = every_bit ? fail : hang;
    verdict(result, "%s", "with this mask the blocked thread is not reached by a request");
    return false;
  }
  for (int i = 0; i < 3; i++) close(m->fd[i]);
  return thread_is_cancelled(thread, result, "the thread");
}

static void reached(void (*call)(struct masked *), bool every_bit, struct result *result) {
  struct masked m;
  for (int i = 0; i < MASK_TRIES; i++) {
    if (!cancel_in(call, every_bit, &m, result)) return;
  }
}

static void restored(void (*call)(struct masked *), struct result *result) {
  struct masked m;
  for (int i = 0; i < MASK_TRIES; i++) {
    if (!cancel_in(call, false, &m, result)) return;
    REQUIRE(result, m.usr1_blocked, "a signal that the thread had blocked is not blocked in the cleanup handler");
    REQUIRE(result, !m.usr2_blocked, "a signal that the thread had not blocked is blocked in the cleanup handler");
  }
}

#define MASK_RUNS(function)                                                                                 \
  static void run_fill_##function(struct result *result) { reached(call_##function, false, result); }       \
  static void run_every_##function(struct result *result) { reached(call_##function, true, result); }       \
  static void run_restored_##function(struct result *result) { restored(call_##function, result); }
MASK_RUNS(ppoll)
MASK_RUNS(pselect)
MASK_RUNS(epoll_pwait)
MASK_RUNS(sigsuspend)

static void run_fill_read(struct result *result) { reached(call_read, false, result); }
static void run_unchanged_read(struct result *result) { restored(call_plain_read, result); }
static void run_every_read(struct result *result) { reached(call_read, true, result); }

#define MASK(name_, kind_, run_, title_, clause_) \
  {.name = "mask/" name_, .title = title_, .clause = clause_, .kind = kind_, .run = run_}
#define MASK_CASES(function, kind_)                                                                               \
  MASK("filled-" #function, kind_, run_fill_##function, "a mask from sigfillset keeps no request from " #function, \
       POSIX_2017),                                                                                               \
  MASK("every-bit-" #function, KIND_QUALITY, run_every_##function,                                                \
       "a mask with every bit set keeps no request from " #function, POSIX_2017),                                 \
  MASK("restored-" #function, kind_, run_restored_##function,                                                     \
       "the mask of " #function " is gone when the cleanup handlers run",                                         \
       "POSIX.1-2017 XSH 2.9.5.2 (side effects are those of an EINTR return)")

const struct test_case cases_mask[] = {
  MASK_CASES(ppoll, KIND_REQUIRED),
  MASK_CASES(pselect, KIND_REQUIRED),
  MASK_CASES(epoll_pwait, KIND_EXTRA),
  MASK_CASES(sigsuspend, KIND_REQUIRED),
  MASK("filled-read", KIND_REQUIRED, run_fill_read, "a thread that blocks all signals is cancelled in read",
       POSIX_2017),
  MASK("every-bit-read", KIND_QUALITY, run_every_read, "a thread whose mask has every bit set is cancelled in read",
       POSIX_2017),
  MASK("unchanged-read", KIND_REQUIRED, run_unchanged_read,
       "the signal mask of a thread cancelled in read is unchanged when its handlers run",
       "POSIX.1-2017 XSH 2.9.5.2 (side effects are those of an EINTR return)"),
  {.title = NULL},
};

EMBED_SOURCE(cases_mask_c);
