/* "An event is a few bits of information."
 *
 * A timer expires three times, a signal comes with a value, a process ends: what the wait says of it, and what is still
 * to be asked for by further system calls.
 */
#define _GNU_SOURCE
#include <kev/kev.h>

#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS INT64_C(1000000)

static sigset_t mask;

/* A child that has ended, a signal that is pending; returns the child's pidfd. */
static int make_events(void) {
  sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 42});
  pid_t child = fork();
  if (child == 0) _exit(7);
  return (int)syscall(SYS_pidfd_open, child, 0);
}

static void with_epoll(void) {
  int set = epoll_create1(EPOLL_CLOEXEC), asked = 0, process = make_events();
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), signals = signalfd(-1, &mask, SFD_CLOEXEC);
  timerfd_settime(timer, 0, &(struct itimerspec){{0, 10 * MS}, {0, 10 * MS}}, NULL);
  int fds[3] = {timer, signals, process};
  for (uint32_t i = 0; i < 3; ++i) epoll_ctl(set, EPOLL_CTL_ADD, fds[i], &(struct epoll_event){EPOLLIN, {.u32 = i}});
  nanosleep(&(struct timespec){0, 35 * MS}, NULL);

  struct epoll_event events[3];
  int count = epoll_wait(set, events, 3, -1);
  for (int i = 0; i < count; ++i) {
    uint64_t expirations;
    struct signalfd_siginfo info;
    siginfo_t end;
    printf("  the event says: EPOLLIN; ");
    ++asked;
    if (events[i].data.u32 == 0 && read(timer, &expirations, 8) == 8)
      printf("read: %s\n", expirations >= 3 ? "at least 3 expirations" : "expirations");
    if (events[i].data.u32 == 1 && read(signals, &info, sizeof info) > 0)
      printf("read: signal with value %d\n", info.ssi_int);
    if (events[i].data.u32 == 2 && waitid((idtype_t)3 /* P_PIDFD */, (id_t)process, &end, WEXITED) == 0)
      printf("waitid: exit status %d\n", end.si_status);
  }
  printf("eventfd + epoll: %d events, %d more system calls\n", count, asked);
}

static void with_kev(void) {
  kev_queue *queue;
  kev_create(&queue, NULL, 0);
  kev_deadline first = {.ns = 10 * MS, .clock = CLOCK_MONOTONIC};
  kev_add_timer(queue, 0, &first, 10 * MS, 0, 0);
  kev_add_signal(queue, SIGRTMIN, 0, 0);
  kev_add_process(queue, make_events(), KEV_REAP, 0);
  nanosleep(&(struct timespec){0, 35 * MS}, NULL);

  kev_event events[3];
  int count = kev_wait(queue, events, 3, 3, NULL, NULL);
  for (int i = 0; i < count; ++i) {
    printf("  the event says: ");
    if (events[i].source == KEV_SOURCE_TIMER)
      printf("%s\n", events[i].result >= 3 ? "at least 3 expirations" : "expirations");
    if (events[i].source == KEV_SOURCE_SIGNAL)
      printf("signal with value %d of process %s\n", (int)events[i].data[2],
             (pid_t)(events[i].data[0] & 0xffffffff) == getpid() ? "our own" : "another");
    if (events[i].source == KEV_SOURCE_PROCESS) printf("exit status %d\n", (int)events[i].result);
  }
  printf("libkev: %d events, 0 more system calls\n", count);
  kev_destroy(queue);
}

int main(void) {
  sigemptyset(&mask);
  sigaddset(&mask, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &mask, NULL);
  setvbuf(stdout, NULL, _IOLBF, 4096);
  with_epoll();
  with_kev();
  return 0;
}
