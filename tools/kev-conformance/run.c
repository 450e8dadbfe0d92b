// Runs each case in a process of its own, with a watchdog, and reads its result from a pipe.
//
// The process leads a process group, which is killed as a whole when the case is over; it dies with this one. A crash
// is a failure. A hang is one too: the process is kept, its stacks are printed to standard error, then it is killed.
#define _GNU_SOURCE 1
#include "command_line.h"
#include "property.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

// A run that is interrupted still cleans up after its case.
static const int interrupts[] = {SIGINT, SIGTERM, SIGHUP};
static volatile sig_atomic_t interrupted;

static void note_interrupt(int signal_number) { interrupted = signal_number; }

static void set_interrupts(void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler};
  for (size_t i = 0; i < sizeof interrupts / sizeof *interrupts; i++) sigaction(interrupts[i], &action, NULL);
}

_Noreturn static void run_child(const struct test_case *c, int to) {
  struct result result;
  memset(&result, 0, sizeof result);
  set_interrupts(SIG_DFL);
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_DUMPABLE, 1);
  warm_up();
  if (c->property_data != NULL) {
    c->property_data->run(c->point_data, &result);
  } else if (c->run != NULL) {
    c->run(&result);
  } else {
    not_built(&result, "this part was not compiled in");
  }
  ssize_t written = write(to, &result, sizeof result);
  // The watchdog wants to see where the threads are.
  while (written == (ssize_t)sizeof result && result.outcome == OUTCOME_HANG) pause();
  _exit(0);
}

// Waits for the result until the deadline. 1: it came; 0: the process ended without; -1: the time is over.
static int await_result(int from, int64_t deadline, struct result *result) {
  for (;;) {
    int64_t left = (deadline - now_ns()) / 1000000;
    struct pollfd item = {from, POLLIN, 0};
    int ready = left > 0 ? poll(&item, 1, (int)left) : 0;
    if (ready < 0 && errno == EINTR && !interrupted) continue;
    if (ready <= 0) return -1;
    return read(from, result, sizeof *result) == (ssize_t)sizeof *result;
  }
}

static void tell_crash(int status, struct result *result) {
  if (WIFSIGNALED(status)) {
    fail(result, "the process was killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
  } else {
    fail(result, "the process ended with status %d and without a result", WEXITSTATUS(status));
  }
}

void run_case(const struct test_case *c, struct result *result) {
  int ends[2], status = 0;
  int64_t start = now_ns();
  memset(result, 0, sizeof *result);
  shared_queue_id[0] = shared_queue_id[1] = -1;
  if (!scratch_make() || pipe2(ends, O_CLOEXEC) != 0) {
    skip(result, "no scratch directory or no pipe: %s", error_name(errno));
    return;
  }
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    run_child(c, ends[1]);
  }
  close(ends[1]);
  if (child < 0) {
    skip(result, "fork: %s", error_name(errno));
  } else {
    int came = await_result(ends[0], start + (int64_t)(options.timeout * 1e9), result);
    if (came == 0) {
      memset(result, 0, sizeof *result);
      // What could still run of it is not waited for.
      kill(child, SIGKILL);
      while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
      tell_crash(status, result);
      kill(-child, SIGKILL);
    } else {
      if (came < 0) hang(result, "the case did not end within %.0f s", options.timeout);
      if (result->outcome == OUTCOME_HANG && !interrupted) {
        fprintf(stderr, "%s hangs:\n", c->name);
        stack_print(child, stderr);
      }
      kill(-child, SIGKILL);
      kill(child, SIGKILL);
      while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    }
  }
  close(ends[0]);
  if (shared_queue_id[0] >= 0) msgctl(shared_queue_id[0], IPC_RMID, NULL);
  if (shared_queue_id[1] >= 0) semctl(shared_queue_id[1], 0, IPC_RMID);
  scratch_remove();
  if (interrupted) {
    set_interrupts(SIG_DFL);
    raise(interrupted);
  }
  result->message[MESSAGE_SIZE - 1] = 0;
  result->seconds = (double)(now_ns() - start) / 1e9;
}

static void count(struct totals *totals, const struct test_case *c, const struct result *result) {
  totals->by_outcome[result->outcome]++;
  totals->seconds += result->seconds;
  bool failed = outcome_is_failure(result->outcome);
  if (failed && result->expected) {
    totals->expected_failures++;
  } else if (failed && c->kind == KIND_REQUIRED) {
    totals->required_failures++;
  } else if (failed) {
    totals->other_failures++;
  } else if (result->outcome == OUTCOME_PASS && expect_names(c->name)) {
    totals->unexpected_passes++;
  }
}

static void progress(size_t done, size_t planned, const char *name) {
  static int on_terminal = -1;
  if (on_terminal < 0) on_terminal = isatty(STDERR_FILENO);
  if (!on_terminal) return;
  if (name != NULL) {
    fprintf(stderr, "\r\033[K[%zu/%zu] %s", done + 1, planned, name);
  } else {
    fprintf(stderr, "\r\033[K");
  }
}

int run_all(const struct report *report, FILE *out, int argc, char **argv) {
  struct run_info info;
  struct totals totals = {0};
  size_t done = 0;
  run_info_fill(&info, argc, argv);
  for (size_t i = 0; i < case_count; i++) info.planned += case_selected(&cases[i]);
  if (info.planned == 0) {
    fprintf(stderr, "kev-conformance: no case matches (see --list)\n");
    return 2;
  }
  void *page = mmap(NULL, 2 * sizeof *shared_queue_id, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page != MAP_FAILED) shared_queue_id = page;
  set_interrupts(note_interrupt);
  report->begin(out, &info);
  for (size_t i = 0; i < case_count; i++) {
    struct result result;
    if (!case_selected(&cases[i])) continue;
    progress(done, info.planned, cases[i].name);
    run_case(&cases[i], &result);
    result.expected = outcome_is_failure(result.outcome) && expect_reason(cases[i].name) != NULL;
    expect_saw(cases[i].name, &result);
    count(&totals, &cases[i], &result);
    progress(done++, info.planned, NULL);
    report->result(out, &cases[i], &result);
  }
  report->end(out, &totals);
  fflush(out);
  expect_report_unused(stderr);
  return totals.required_failures > 0 ? 1 : 0;
}
