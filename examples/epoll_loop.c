/* An epoll loop, as there are many, that gains timers, signals and futexes: kev_fd() is one more descriptor in its set.
 *
 * What is the loop's stays as it was. The lines that are new are marked.
 */
#define _GNU_SOURCE
#include <kev/kev.h>

#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint32_t word; /* what a thread would tell us by */

static int on_kev(kev_queue *queue) { /* new: how many more are expected */
  kev_event events[16];
  int count = kev_wait(queue, events, 0, 16, NULL, NULL);
  for (int i = 0; i < count; ++i) {
    switch (events[i].source) {
      case KEV_SOURCE_TIMER: printf("timer %d\n", (int)events[i].ident); break;
      case KEV_SOURCE_SIGNAL: {
        int is_own = (pid_t)(events[i].data[0] & 0xffffffff) == getpid();
        printf("signal %d from %s\n", (int)events[i].result, is_own ? "ourselves" : "elsewhere");
        break;
      }
      case KEV_SOURCE_FUTEX: printf("futex, word %d\n", (int)events[i].data[0]); break;
    }
  }
  return count > 0 ? count : 0;
}

int main(void) {
  int set = epoll_create1(EPOLL_CLOEXEC), pipes[2], open = 1, expected = 3;
  if (set < 0 || pipe2(pipes, O_NONBLOCK | O_CLOEXEC) < 0) return 1;
  struct epoll_event event = {.events = EPOLLIN, .data.fd = pipes[0]};
  epoll_ctl(set, EPOLL_CTL_ADD, pipes[0], &event);

  sigset_t mask; /* new, from here ... */
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR1);
  sigprocmask(SIG_BLOCK, &mask, NULL);
  kev_queue *queue;
  if (kev_create(&queue, NULL, 0) < 0) return 1;
  kev_deadline soon = {.ns = 5000000, .clock = CLOCK_MONOTONIC};
  kev_add_timer(queue, 1, &soon, 0, KEV_ONESHOT, 0);
  kev_add_signal(queue, SIGUSR1, 0, 0);
  if (kev_add_futex(queue, &word, 0, KEV_ONESHOT, 0) < 0) --expected;
  event.data.fd = kev_fd(queue);
  epoll_ctl(set, EPOLL_CTL_ADD, event.data.fd, &event); /* ... to here */

  if (write(pipes[1], "hello", 5) != 5) return 1; /* something for each of them */
  close(pipes[1]);
  kill(getpid(), SIGUSR1);
  __atomic_store_n(&word, 7, __ATOMIC_SEQ_CST);
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);

  while (open || expected > 0) {
    struct epoll_event events[16];
    int count = epoll_wait(set, events, 16, -1);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.fd == kev_fd(queue)) { /* new */
        expected -= on_kev(queue);
        continue;
      }
      char buffer[64];
      ssize_t size = read(events[i].data.fd, buffer, sizeof buffer);
      if (size > 0) printf("read %.*s\n", (int)size, buffer);
      if (size == 0) open = close(events[i].data.fd);
    }
  }
  return kev_destroy(queue) < 0;
}
