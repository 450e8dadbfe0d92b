// Operations that make descriptors, but sockets. Everything is non-blocking: a read or write never sleeps.
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "world.h"

static void name_of(int path, char* out, size_t size) {
  switch ((unsigned)path % PATHS) {
    case PATH_NULL: snprintf(out, size, "/dev/null"); return;
    case PATH_ZERO: snprintf(out, size, "/dev/zero"); return;
    case PATH_MOUNTS: snprintf(out, size, "/proc/self/mounts"); return;
    case PATH_FOLDER: snprintf(out, size, "%s", folder); return;
    case PATH_FIFO:
    case PATH_FIFO_READ: snprintf(out, size, "%s/fifo", folder); return;
    case PATH_MISSING: snprintf(out, size, "%s/missing", folder); return;
    default: snprintf(out, size, "%s/file", folder); return;
  }
}

static int flags_of(int path) {
  switch ((unsigned)path % PATHS) {
    case PATH_ONLY: return O_PATH;
    case PATH_FIFO:
    case PATH_NULL:
    case PATH_FILE: return O_RDWR | O_NONBLOCK;
    default: return O_RDONLY | O_NONBLOCK;
  }
}

void op_pipe2(const int32_t* a) {
  int fds[2];
  int result = pipe2(fds, a[2] | O_NONBLOCK);
  say_result(result);
  if (result < 0) return;
  say_new(a[0], fds[0]);
  say_new(a[1], fds[1]);
}

void op_eventfd(const int32_t* a) { say_new(a[0], eventfd((unsigned)a[1], a[2] | EFD_NONBLOCK)); }

void op_timerfd(const int32_t* a) { say_new(a[0], timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)); }

void op_timer_set(const int32_t* a) {
  struct itimerspec when = {{0, 0}, {0, 0}};
  if (a[1] == WHEN_PAST) when.it_value.tv_nsec = 1;
  if (a[1] == WHEN_FAR) when.it_value.tv_sec = 10000;
  int result = timerfd_settime(fd_of(a[0]), 0, &when, NULL);
  say_result(result);
  if (result == 0 && a[1] == WHEN_PAST) settle_readable(fd_of(a[0]));
}

void op_signalfd(const int32_t* a) {
  sigset_t set;
  sigemptyset(&set);
  if (a[1] & 1) sigaddset(&set, SIGUSR1);
  if (a[1] & 2) sigaddset(&set, SIGUSR2);
  say_new(a[0], signalfd(-1, &set, SFD_NONBLOCK));
}

void op_inotify(const int32_t* a) {
  int fd = inotify_init1(IN_NONBLOCK);
  say_new(a[0], fd);
  if (fd >= 0) say_result(inotify_add_watch(fd, folder, IN_OPEN));
}

void op_touch(const int32_t* a) {
  (void)a;
  char name[256];
  snprintf(name, sizeof name, "%s/touched", folder);
  long fd = raw(SYS_openat, AT_FDCWD, name, O_CREAT | O_RDWR, 0600);
  say(fd >= 0);
  if (fd >= 0) raw(SYS_close, fd);
}

// A child that sleeps until it is killed.
void op_pidfd(const int32_t* a) {
  int* child = &world.child[(unsigned)a[1] % CHILDREN];
  long pid = raw(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) {
    raw(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    for (;;) raw(SYS_ppoll, 0, 0, 0, 0, 8);
  }
  *child = (int)pid;
  say_new(a[0], (int)syscall(SYS_pidfd_open, pid, 0));
}

void op_kill_child(const int32_t* a) {
  int pid = world.child[(unsigned)a[0] % CHILDREN];
  if (pid <= 0) return say(0);
  raw(SYS_kill, pid, SIGKILL);
  char info[128];
  say((int)raw(SYS_waitid, P_PID, pid, info, WEXITED | WNOWAIT));
}

void op_reap_child(const int32_t* a) {
  int* pid = &world.child[(unsigned)a[0] % CHILDREN];
  if (*pid <= 0) return say(0);
  int status = 0;
  int result = waitpid(*pid, &status, WNOHANG);
  say(result > 0);
  say(status);
  if (result > 0) *pid = 0;
}

void op_pty(const int32_t* a) {
  int master, slave;
  struct termios raw_mode;
  memset(&raw_mode, 0, sizeof raw_mode);
  cfmakeraw(&raw_mode);
  int result = openpty(&master, &slave, NULL, &raw_mode, NULL);
  say_result(result);
  if (result < 0) return;
  make_nonblocking(master);
  make_nonblocking(slave);
  say_new(a[0], master);
  say_new(a[1], slave);
}

void op_memfd(const int32_t* a) { say_new(a[0], memfd_create("oracle", MFD_CLOEXEC)); }

void op_open(const int32_t* a) {
  char name[256];
  name_of(a[1], name, sizeof name);
  say_new(a[0], open(name, flags_of(a[1])));
}

void op_fopen(const int32_t* a) {
  unsigned at = (unsigned)a[1] % STREAMS;
  if (world.stream[at] != NULL) return say(0);
  char name[256];
  name_of(PATH_FIFO, name, sizeof name);
  FILE* stream = fopen(name, "r+");
  say(stream != NULL);
  if (stream == NULL) return say(errno);
  world.stream[at] = stream;
  world.stream_fd[at] = fileno(stream);
  make_nonblocking(fileno(stream));
  say_new(a[0], fileno(stream));
}

void op_freopen(const int32_t* a) {
  unsigned at = (unsigned)a[0] % STREAMS;
  if (world.stream[at] == NULL) return say(0);
  char name[256];
  name_of(a[1], name, sizeof name);
  world.stream[at] = freopen(name, "r", world.stream[at]);
  say(world.stream[at] != NULL);
  if (world.stream[at] == NULL) return;
  say(fileno(world.stream[at]));
  make_nonblocking(fileno(world.stream[at]));
}

void op_epoll_create(const int32_t* a) { say_new(a[0], epoll_create1(0)); }

void op_dup(const int32_t* a) { say_new(a[0], dup(fd_of(a[1]))); }

void op_dup2(const int32_t* a) {
  if (fd_of(a[1]) < 3) return say(0);
  say_result(dup2(fd_of(a[0]), fd_of(a[1])));
}

void op_dup2_number(const int32_t* a) { say_new(a[0], dup2(fd_of(a[1]), a[2])); }

void op_dup3(const int32_t* a) {
  if (fd_of(a[1]) < 3) return say(0);
  say_result(dup3(fd_of(a[0]), fd_of(a[1]), a[2]));
}

void op_fcntl_dup(const int32_t* a) {
  say_new(a[0], fcntl(fd_of(a[1]), a[3] ? F_DUPFD_CLOEXEC : F_DUPFD, a[2]));
}
