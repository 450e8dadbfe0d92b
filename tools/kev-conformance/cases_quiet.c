// What a thread must not notice: a request while it has disabled cancellation, or, as a matter of quality, while it is
// blocked outside of any cancellation point, interrupts no call, not even one that is never restarted.
#define _GNU_SOURCE 1
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <time.h>
#include <unistd.h>

enum { QUIET_TRIES = 30, QUIET_MS = 4 };

// One blocked call: what it is given, and how it ended.
struct quiet {
  long (*call)(struct quiet *);
  int state;
  int fd[3];
  int semaphore;
  long value;
  int error;
  atomic_int tid, ended;
};

static long call_read(struct quiet *q) {
  char byte;
  return read(q->fd[0], &byte, 1);
}
static long call_epoll_wait(struct quiet *q) {
  struct epoll_event event;
  return epoll_wait(q->fd[2], &event, 1, -1);
}
static long call_semtimedop(struct quiet *q) {
  struct sembuf down = {0, -1, 0};
  struct timespec time = {100, 0};
  return semtimedop(q->semaphore, &down, 1, &time);
}
static long call_flock(struct quiet *q) { return flock(q->fd[2], LOCK_EX); }

static void *quiet_body(void *argument) {
  struct quiet *q = argument;
  pthread_setcancelstate(q->state, NULL);
  atomic_store(&q->tid, gettid());
  errno = 0;
  q->value = q->call(q);
  q->error = errno;
  atomic_store(&q->ended, 1);
  return NULL;
}

// Many requests while the call blocks; then `release` lets it succeed.
static void stay_quiet(struct quiet *q, void (*release)(struct quiet *), struct result *result) {
  for (int i = 0; i < QUIET_TRIES; i++) {
    pthread_t thread;
    atomic_store(&q->ended, 0);
    atomic_store(&q->tid, 0);
    REQUIRE(result, pthread_create(&thread, NULL, quiet_body, q) == 0, "pthread_create failed");
    for (int i = 0; i < 2000 && !(atomic_load(&q->tid) != 0 && thread_sleeps(atomic_load(&q->tid))); i++) sleep_ms(1);
    pthread_cancel(thread);
    sleep_ms(QUIET_MS);
    bool early = atomic_load(&q->ended);
    release(q);
    pthread_join(thread, NULL);
    REQUIRE(result, !early, "try %d: the request ended the call with %ld (%s)", i + 1, q->value, error_name(q->error));
    REQUIRE(result, q->value >= 0, "try %d: the call failed with %s", i + 1, error_name(q->error));
  }
}

static void release_byte(struct quiet *q) {
  char byte;
  if (write(q->fd[1], "x", 1) != 1) return;
  if (q->call != call_epoll_wait) return;
  wait_for(&q->ended, 1, 1000);
  if (read(q->fd[0], &byte, 1) != 1) return;
}
static void release_semaphore(struct quiet *q) {
  struct sembuf up = {0, 1, 0};
  semop(q->semaphore, &up, 1);
}
static void release_lock(struct quiet *q) {
  flock(q->fd[0], LOCK_UN);
  wait_for(&q->ended, 1, 1000);
  flock(q->fd[2], LOCK_UN);
  flock(q->fd[0], LOCK_EX);
}

static void run_read(struct result *result) {
  struct quiet q = {.call = call_read, .state = PTHREAD_CANCEL_DISABLE};
  REQUIRE(result, pipe2(q.fd, O_CLOEXEC) == 0, "pipe2: %s", error_name(errno));
  stay_quiet(&q, release_byte, result);
}
static void run_epoll_wait(struct result *result) {
  struct quiet q = {.call = call_epoll_wait, .state = PTHREAD_CANCEL_DISABLE};
  struct epoll_event event = {.events = EPOLLIN};
  REQUIRE(result, pipe2(q.fd, O_CLOEXEC) == 0, "pipe2: %s", error_name(errno));
  q.fd[2] = epoll_create1(EPOLL_CLOEXEC);
  REQUIRE(result, epoll_ctl(q.fd[2], EPOLL_CTL_ADD, q.fd[0], &event) == 0, "epoll_ctl: %s", error_name(errno));
  stay_quiet(&q, release_byte, result);
}
static void semaphore_case(int state, struct result *result) {
  struct quiet q = {.call = call_semtimedop, .state = state};
  q.semaphore = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
  if (q.semaphore < 0) {
    skip(result, "semget: %s", error_name(errno));
    return;
  }
  shared_queue_id[1] = q.semaphore;
  stay_quiet(&q, release_semaphore, result);
  semctl(q.semaphore, 0, IPC_RMID);
  shared_queue_id[1] = -1;
}
static void run_semaphore_disabled(struct result *result) { semaphore_case(PTHREAD_CANCEL_DISABLE, result); }
static void run_semaphore_enabled(struct result *result) { semaphore_case(PTHREAD_CANCEL_ENABLE, result); }

static void run_flock(struct result *result) {
  struct quiet q = {.call = call_flock, .state = PTHREAD_CANCEL_ENABLE};
  struct trial t;
  scratch_path(&t, "lock");
  q.fd[0] = open(t.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  q.fd[2] = open(t.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  REQUIRE(result, q.fd[0] >= 0 && q.fd[2] >= 0 && flock(q.fd[0], LOCK_EX) == 0, "flock: %s", error_name(errno));
  stay_quiet(&q, release_lock, result);
}

#define QUIET(name_, kind_, run_, title_, clause_) \
  {.name = "quiet/" name_, .title = title_, .clause = clause_, .kind = kind_, .run = run_}
#define DISABLED "POSIX.1-2017 XSH 2.9.5.1"

const struct test_case cases_quiet[] = {
  QUIET("disabled-read", KIND_REQUIRED, run_read, "a request does not interrupt read of a disabled thread", DISABLED),
  QUIET("disabled-epoll_wait", KIND_EXTRA, run_epoll_wait,
        "a request does not interrupt epoll_wait of a disabled thread", DISABLED),
  QUIET("disabled-semtimedop", KIND_QUALITY, run_semaphore_disabled,
        "a request does not interrupt semtimedop, which is never restarted, of a disabled thread", DISABLED),
  QUIET("enabled-semtimedop", KIND_QUALITY, run_semaphore_enabled,
        "a request does not interrupt semtimedop of a thread that is outside of any cancellation point",
        "POSIX.1-2017 XSH 2.9.5.1 (a deferred request is held until a point)"),
  QUIET("enabled-flock", KIND_QUALITY, run_flock,
        "a request does not interrupt flock of a thread that is outside of any cancellation point",
        "POSIX.1-2017 XSH 2.9.5.1 (a deferred request is held until a point)"),
  {.title = NULL},
};

EMBED_SOURCE(cases_quiet_c);
