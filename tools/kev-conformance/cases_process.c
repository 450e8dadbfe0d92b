// Processes and cancellation: what a child of fork inherits, and requests that come during fork, vfork and posix_spawn,
// which are no cancellation points.
#define _GNU_SOURCE 1
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESS_ROUNDS = 100 };

extern char **environ;

static int exit_status(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void exit_5(void *unused) {
  (void)unused;
  _exit(5);
}
static void *block_body(void *unused) {
  for (;;) sleep(10);
  return unused;
}

// In the child: the thread that forked can be cancelled at a blocking point by a thread that the child makes.
static void *cancel_forker_body(void *target) {
  sleep_ms(10);
  pthread_cancel(*(pthread_t *)target);
  return NULL;
}
static void be_cancelled_in_child(void) {
  pthread_t self = pthread_self(), helper;
  pthread_cleanup_push(exit_5, NULL);
  if (pthread_create(&helper, NULL, cancel_forker_body, &self) != 0) _exit(6);
  sleep(5);
  pthread_cleanup_pop(0);
  _exit(7);
}
static void *forking_body(void *child) {
  *(pid_t *)child = fork();
  if (*(pid_t *)child == 0) be_cancelled_in_child();
  return NULL;
}
static void run_fork_forker(struct result *result) {
  pthread_t thread;
  pid_t child = -1;
  REQUIRE(result, pthread_create(&thread, NULL, forking_body, &child) == 0, "pthread_create failed");
  pthread_join(thread, NULL);
  REQUIRE(result, child > 0, "fork failed");
  int status = exit_status(child);
  REQUIRE(result, status == 5, "the thread that forked was not cancelled in the child: status %d", status);
}

static void run_fork_new_thread(struct result *result) {
  pid_t child = fork();
  if (child == 0) {
    pthread_t thread;
    void *value = NULL;
    if (pthread_create(&thread, NULL, block_body, NULL) != 0) _exit(6);
    sleep_ms(5);
    pthread_cancel(thread);
    pthread_join(thread, &value);
    _exit(value == PTHREAD_CANCELED ? 5 : 7);
  }
  REQUIRE(result, child > 0, "fork: %s", error_name(errno));
  int status = exit_status(child);
  REQUIRE(result, status == 5, "a thread of the child was not cancelled: status %d", status);
}

// A thread makes a child while a request comes; it must have done so completely before it acts.
struct maker {
  pid_t (*make)(void);
  pid_t child;
  atomic_int started, made, ended;
};

static pid_t make_by_fork(void) {
  pid_t child = fork();
  if (child == 0) _exit(3);
  return child;
}
// vfork lends the stack to the child, which does nothing but leave.
static pid_t make_by_vfork(void) {
  pid_t child = vfork();
  if (child == 0) _exit(3);
  return child;
}
static pid_t make_by_spawn(void) {
  static char *const arguments[] = {"sh", "-c", "exit 3", NULL};
  pid_t child = -1;
  return posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ) == 0 ? child : -1;
}

static void maker_ended(void *argument) {
  struct maker *m = argument;
  atomic_store(&m->ended, 1);
}
static void *maker_body(void *argument) {
  struct maker *m = argument;
  pthread_cleanup_push(maker_ended, m);
  atomic_store(&m->started, 1);
  m->child = m->make();
  atomic_store(&m->made, 1);
  for (;;) pthread_testcancel();
  pthread_cleanup_pop(1);
  return NULL;
}

static void racing(pid_t (*make)(void), struct result *result) {
  for (int i = 0; i < PROCESS_ROUNDS; i++) {
    struct maker m = {.make = make, .child = -1};
    pthread_t thread;
    REQUIRE(result, pthread_create(&thread, NULL, maker_body, &m) == 0, "pthread_create failed");
    wait_for(&m.started, 1, 1000);
    spin_until(now_ns() + random_below(300000));
    pthread_cancel(thread);
    if (!wait_for(&m.ended, 1, 5000)) {
      hang(result, "round %d: the thread did not act on a request that came while it made a child", i + 1);
      return;
    }
    if (!thread_is_cancelled(thread, result, "the thread")) return;
    REQUIRE(result, atomic_load(&m.made) == 1, "round %d: the thread was cancelled while it made a child", i + 1);
    REQUIRE(result, m.child > 0, "round %d: no child was made", i + 1);
    int status = exit_status(m.child);
    REQUIRE(result, status == 3, "round %d: the child ended with %d instead of 3", i + 1, status);
  }
}
static void run_fork(struct result *result) { racing(make_by_fork, result); }
static void run_vfork(struct result *result) { racing(make_by_vfork, result); }
static void run_spawn(struct result *result) { racing(make_by_spawn, result); }

#define PROCESS(name_, kind_, run_, title_, clause_) \
  {.name = "process/" name_, .title = title_, .clause = clause_, .kind = kind_, .run = run_}

const struct test_case cases_process[] = {
  PROCESS("fork-forker", KIND_REQUIRED, run_fork_forker, "the thread that forked can be cancelled in the child",
          "POSIX.1-2017 fork, XSH 2.9.5"),
  PROCESS("fork-new-thread", KIND_QUALITY, run_fork_new_thread, "a new thread of the child can be cancelled",
          "POSIX.1-2017 fork (only async-signal-safe calls are promised in the child of a threaded process)"),
  PROCESS("fork-racing", KIND_QUALITY, run_fork, "a request during fork is acted upon afterwards",
          "POSIX.1-2017 XSH 2.9.5.2 (no point)"),
  PROCESS("vfork-racing", KIND_QUALITY, run_vfork, "a request during vfork is acted upon afterwards", "vfork(2)"),
  PROCESS("spawn-racing", KIND_REQUIRED, run_spawn, "a request during posix_spawn is acted upon afterwards",
          "POSIX.1-2017 XSH 2.9.5.2 (no point)"),
  {.title = NULL},
};

EMBED_SOURCE(cases_process_c);
