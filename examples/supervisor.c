/* A supervisor: keeps a command running, with signals, processes and timers in one queue.
 *
 *   supervisor COMMAND [ARGUMENT...]
 *
 * Restarts the command 50 ms after it has failed, three times at most; ends with it when it succeeds. SIGTERM is passed
 * on to it, and SIGKILL follows after a second. No SIGCHLD, no wait, no race: the pidfd says how it ended, and what it
 * used.
 */
#define _GNU_SOURCE
#include <kev/kev.h>

#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RESTART, KILL }; /* the timers */

static kev_queue *queue;
static pid_t child;
static int pidfd = -1;

static void after(uint64_t timer, int ms) {
  kev_deadline first = {.ns = ms * INT64_C(1000000), .clock = CLOCK_MONOTONIC};
  kev_add_timer(queue, timer, &first, 0, KEV_ONESHOT, 0);
}

static void start(char **command) {
  child = fork();
  if (child == 0) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(command[0], command);
    _exit(127);
  }
  pidfd = (int)syscall(SYS_pidfd_open, child, 0);
  kev_add_process(queue, pidfd, KEV_REAP, 0);
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGTERM);
  sigprocmask(SIG_BLOCK, &mask, NULL);
  if (kev_create(&queue, NULL, 0) < 0) return 1;
  kev_add_signal(queue, SIGTERM, 0, 0);
  start(argv + 1);

  int restarts = 3, ending = 0;
  for (;;) {
    kev_event event;
    if (kev_wait(queue, &event, 1, 1, NULL, NULL) != 1) continue;
    switch (event.source) {
      case KEV_SOURCE_SIGNAL:
        printf("signal %d: passed on\n", (int)event.result);
        ending = 1;
        if (pidfd < 0) return 0;
        kill(child, SIGTERM);
        after(KILL, 1000);
        break;
      case KEV_SOURCE_TIMER:
        if (event.ident == KILL)
          kill(child, SIGKILL);
        else if (!ending)
          start(argv + 1);
        break;
      case KEV_SOURCE_PROCESS:
        printf("%s %d\n", event.data[0] == CLD_EXITED ? "exited" : "killed", (int)event.result);
        close(pidfd);
        pidfd = -1;
        if (ending || (event.data[0] == CLD_EXITED && event.result == 0)) return 0;
        if (restarts-- == 0) return 1;
        after(RESTART, 50);
    }
    fflush(stdout);
  }
}
