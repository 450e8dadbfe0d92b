/* "No events without a system call."
 *
 * A thousand events are made and taken. Then a seccomp filter refuses every system call but output, and it is tried
 * again.
 */
#define _GNU_SOURCE
#include <kev/kev.h>

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int set, counter;
static kev_queue *queue;

static int with_epoll(void) { /* three system calls an event */
  struct epoll_event event;
  uint64_t value = 1;
  for (int i = 0; i < 1000; ++i) {
    if (write(counter, &value, 8) < 0) return -errno;
    if (epoll_wait(set, &event, 1, 0) != 1 || read(counter, &value, 8) < 0) return -errno;
  }
  return 1000;
}

static int with_kev(void) { /* none */
  kev_event event;
  int error;
  for (int i = 0; i < 1000; ++i) {
    if ((error = kev_post(queue, 1, i, NULL)) < 0) return error;
    if ((error = kev_wait(queue, &event, 1, 1, NULL, NULL)) < 0) return error;
  }
  return 1000;
}

static void show(const char *name, int result) {
  if (result < 0)
    printf("%s: %s\n", name, strerror(-result));
  else
    printf("%s: %d events\n", name, result);
}

static int refuse_system_calls(void) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 4, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 0, 2),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof code / sizeof *code, code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0;
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 4096);
  counter = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  set = epoll_create1(EPOLL_CLOEXEC);
  epoll_ctl(set, EPOLL_CTL_ADD, counter, &(struct epoll_event){.events = EPOLLIN});
  if (kev_create(&queue, NULL, 0) < 0 || kev_add_user(queue, 1, 0, 0) < 0) return 1;

  show("eventfd + epoll", with_epoll());
  show("libkev", with_kev());
  if (refuse_system_calls()) return 1;
  puts("now without system calls");
  show("eventfd + epoll", with_epoll());
  show("libkev", with_kev());
  return 0;
}
