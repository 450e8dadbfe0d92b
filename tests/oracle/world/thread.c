// The world's threads. One at a time executes an operation, so that the outcome is determined; but for run_during(), where
// one waits while the main thread goes on, step by step, each step settled before the next.
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "world.h"

struct Thread {
  pthread_t thread;
  bool started;
  int tid;
  int state;  // descriptor
  uint32_t asked, done;  // futexes
  unsigned at;
  bool beside;     // as the waiter of run_during()
  bool disabled;   // and with cancellation disabled
  bool cancelled;  // it ends once that is over
  Aside aside;
};

static struct Thread threads[THREADS];
static struct Thread* waiter;  // in run_during()
static bool is_signalled;      // it was sent a signal, which its mask may keep pending

static void wait_for_change(uint32_t* word, uint32_t old) {
  while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == old) raw(SYS_futex, word, FUTEX_WAIT, old, 0);
}

static void bump(uint32_t* word) {
  __atomic_add_fetch(word, 1, __ATOMIC_ACQ_REL);
  raw(SYS_futex, word, FUTEX_WAKE, 1);
}

static void* serve(void* argument) {
  struct Thread* self = argument;
  __atomic_store_n(&self->tid, (int)raw(SYS_gettid), __ATOMIC_RELEASE);
  for (uint32_t served = 0;; ++served) {
    wait_for_change(&self->asked, served);
    waits_for_ever = self->beside;
    aside = self->beside ? &self->aside : NULL;
    int state;
    bool disabled = self->beside && self->disabled;
    if (disabled) pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    execute(self->at);
    bump(&self->done);
    if (disabled) pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
    if (self->beside) pthread_testcancel();
  }
  return NULL;
}

// The file with a thread's state stands open at a high number, whatever the limit: one that comes and goes at a low one
// would show.
static void open_state(struct Thread* thread) {
  enum { HIGH = 700 };
  char name[64];
  while (__atomic_load_n(&thread->tid, __ATOMIC_ACQUIRE) == 0) raw(SYS_sched_yield);
  snprintf(name, sizeof name, "/proc/self/task/%d/stat", thread->tid);
  struct rlimit limit;
  raw(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &limit);
  struct rlimit raised = {limit.rlim_max, limit.rlim_max};
  raw(SYS_prlimit64, 0, RLIMIT_NOFILE, &raised, 0);
  long fd = raw(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC, 0);
  thread->state = HIGH + (int)(thread - threads);
  raw(SYS_dup3, fd, thread->state, O_CLOEXEC);
  if (fd >= 0) raw(SYS_close, fd);
  raw(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, 0);
}

static struct Thread* thread_of(unsigned number) {
  struct Thread* thread = &threads[number];
  if (!thread->started) {
    memset(thread, 0, sizeof *thread);
    thread->state = -1;
    thread->started = pthread_create(&thread->thread, NULL, serve, thread) == 0;
  }
  char byte;
  if (thread->started && raw(SYS_pread64, thread->state, &byte, 1, 0) != 1) open_state(thread);
  return thread;
}

static uint32_t ask(struct Thread* thread, unsigned at, bool beside) {
  uint32_t done = __atomic_load_n(&thread->done, __ATOMIC_ACQUIRE);
  thread->at = at;
  thread->beside = beside;
  thread->aside.words = 0;
  bump(&thread->asked);
  return done;
}

void run_on(unsigned number, unsigned at) {
  struct Thread* thread = thread_of(number);
  if (!thread->started) return execute(at);
  wait_for_change(&thread->done, ask(thread, at, false));
}

static bool is_done(const struct Thread* thread) {
  return __atomic_load_n(&thread->done, __ATOMIC_ACQUIRE) == __atomic_load_n(&thread->asked, __ATOMIC_ACQUIRE);
}

// By its state in /proc. A handler may sleep as well, and goes on by itself.
static bool is_asleep(const struct Thread* thread) {
  if (__atomic_load_n(&handlers, __ATOMIC_ACQUIRE) != 0) return false;
  char text[128];
  long count = raw(SYS_pread64, thread->state, text, sizeof text - 1, 0);
  text[count > 0 ? count : 0] = '\0';
  const char* name_end = strrchr(text, ')');
  return name_end != NULL && name_end[2] == 'S';
}

// Until the waiter is done, or asleep and nothing has woken it.
static void settle(struct Thread* thread) {
  for (int asleep = 0; !is_done(thread) && asleep < 2;) {
    asleep = is_asleep(thread) ? asleep + 1 : 0;
    if (!asleep) raw(SYS_sched_yield);
  }
}

static bool waits(unsigned kind) {
  switch (kind) {
    case OP_poll: case OP_ppoll: case OP_select: case OP_pselect: case OP_epoll_wait: case OP_epoll_pwait:
    case OP_epoll_pwait2: case OP_suspend:
      return true;
    default:
      return false;
  }
}

// What may not happen beside a wait: a close of what it waits for, whose outcome select(2) leaves open; a change of the
// array that the kernel is reading; blocks.
static bool is_unfit(const Op* op) {
  switch (op->kind) {
    // One below the array's length is an error to a wait that begins anew.
    case OP_limit: return op->argument[0] < ENTRIES;
    case OP_close: case OP_close_number: case OP_close_range: case OP_closefrom: case OP_fclose: case OP_freopen:
    case OP_syscall_close: case OP_raw_close: case OP_raw_dup2: case OP_dup2: case OP_dup2_number: case OP_dup3:
    case OP_entry: case OP_entry_number: case OP_entries: case OP_length: case OP_shuffle: case OP_copy:
    case OP_poll_wrong: case OP_select_wrong: case OP_fork: case OP_vfork: case OP_exec: case OP_during:
    case OP_handler: case OP_fcloseall: case OP_syscall_make: case OP_poll_herd: case OP_poll_often: case OP_select_often:
    case OP_unshare: case OP_filter: case OP_take_signal: case OP_thread:
      return true;
    default:
      return waits(op->kind);
  }
}

bool anyone_waits(void) { return waiter != NULL; }

static void end_waiter(void) {
  void* result = NULL;
  pthread_join(waiter->thread, &result);
  say(result == PTHREAD_CANCELED);
  waiter->started = false;
}

// The first operation of the block waits in a thread; the main thread executes the others meanwhile.
void run_during(unsigned at, unsigned end) {
  unsigned number = shared->op[at].thread % THREADS;
  if (world.alone || at + 1 >= end || world.bypassed || !waits(shared->op[at + 1].kind)) return run(at + 1, end);
  waiter = thread_of(number == 0 ? 1 : number);
  if (!waiter->started) return run(at + 1, end);

  waiter->disabled = shared->op[at].argument[1] != 0;
  waiter->cancelled = is_signalled = false;
  ask(waiter, at + 1, true);
  settle(waiter);
  begin_record(at);
  say(is_done(waiter));
  for (unsigned next = at + 2; next < end; ++next) {
    if (is_unfit(&shared->op[next])) continue;
    execute(next);
    if (waiter == NULL) return;
    settle(waiter);
    say(is_done(waiter));
  }
  while (!is_done(waiter)) {
    raw(SYS_tgkill, raw(SYS_getpid), waiter->tid, SIGNAL_NUDGE);
    for (int i = 0; i < 100 && !is_done(waiter); ++i) raw(SYS_sched_yield);
    if (!is_done(waiter)) pause_ms(1);
  }
  join_record(at + 1, &waiter->aside);
  if (waiter->cancelled) end_waiter();
  waiter = NULL;
}

void op_signal_waiter(const int32_t* a) {
  static const int numbers[] = {SIGUSR1, SIGUSR2};
  if (waiter == NULL || is_done(waiter)) return say(0);
  is_signalled = true;
  say((int)raw(SYS_tgkill, raw(SYS_getpid), waiter->tid, numbers[(unsigned)a[0] % 2]));
}

// One that has cancellation disabled does not notice, and ends after its wait. Which comes first, the cancellation or a
// signal that the wait's mask keeps pending, is left open.
void op_cancel_waiter(const int32_t* a) {
  (void)a;
  if (waiter == NULL || is_done(waiter) || waiter->cancelled || is_signalled) return say(0);
  say(pthread_cancel(waiter->thread));
  waiter->cancelled = true;
  if (waiter->disabled) return;
  end_waiter();
  waiter = NULL;
}
