// Operations that make descriptors, but sockets. Everything is non-blocking: a read or write never sleeps.
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "world.h"

int __dup2(int, int);
int __open_2(const char*, int);
pid_t __waitpid(pid_t, int*, int);
int __openat_2(int, const char*, int);
int __fcntl(int, int, ...);

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
  int result = a[3] == 1 ? pipe(fds) : pipe2(fds, a[2] | O_NONBLOCK);
  say_result(result);
  if (result < 0) return;
  for (int i = 0; i < 2; ++i) make_nonblocking(fds[i]);
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
  int fd = a[1] == 1 ? inotify_init() : inotify_init1(IN_NONBLOCK);
  make_nonblocking(fd);
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
  // In a process whose child it is not, the wait below says nothing of its end.
  long fd = raw(SYS_pidfd_open, pid, 0);
  if (fd >= 0) settle_readable((int)fd);
  if (fd >= 0) raw(SYS_close, fd);
  char info[128];
  say((int)raw(SYS_waitid, P_PID, pid, info, WEXITED | WNOWAIT));
}

void op_reap_child(const int32_t* a) {
  int* pid = &world.child[(unsigned)a[0] % CHILDREN];
  if (*pid <= 0) return say(0);
  int status = 0;
  int result;
  siginfo_t info;
  switch (a[1]) {
    case 1: result = wait4(*pid, &status, WNOHANG, NULL); break;
    case 2: result = wait3(&status, WNOHANG, NULL); break;
    case 3: result = __waitpid(*pid, &status, WNOHANG); break;
    case 4:
      memset(&info, 0, sizeof info);
      result = waitid(P_PID, (id_t)*pid, &info, WEXITED | WNOHANG);
      if (result == 0) result = info.si_pid, status = info.si_status;
      break;
    case 5:
      // Which does not wait, where one has ended.
      memset(&info, 0, sizeof info);
      raw(SYS_waitid, P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
      result = info.si_pid > 0 ? wait(&status) : 0;
      break;
    default: result = waitpid(*pid, &status, WNOHANG);
  }
  int which = CHILDREN;
  for (int i = 0; i < CHILDREN; ++i)
    if (result > 0 && world.child[i] == result) which = i, world.child[i] = 0;
  say(result > 0 ? which : result);
  say(status);
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
  int flags = flags_of(a[1]);
  char made[256];
  snprintf(made, sizeof made, "%s/touched", folder);
  switch (a[2]) {
    case 1: return say_new(a[0], open64(name, flags));
    case 2: return say_new(a[0], openat(AT_FDCWD, name, flags));
    case 3: return say_new(a[0], __open_2(name, flags));
    case 4: return say_new(a[0], __openat_2(AT_FDCWD, name, flags));
    case 5: return say_new(a[0], creat(made, 0600));
    case 6: return say_new(a[0], open(made, O_CREAT | O_RDWR, 0600));
    case 7: return say_new(a[0], open(folder, O_TMPFILE | O_RDWR, 0600));
    default: return say_new(a[0], open(name, flags));
  }
}

void op_temporary(const int32_t* a) {
  char name[256];
  snprintf(name, sizeof name, "%s/t-XXXXXX", folder);
  FILE* stream;
  switch (a[1]) {
    case 1: say_new(a[0], mkstemp64(name)); break;
    case 2: say_new(a[0], mkostemp(name, O_CLOEXEC)); break;
    case 3: say_new(a[0], mkostemp64(name, O_CLOEXEC)); break;
    // Its descriptor is closed by number: the stream is not used again.
    case 4:
    case 5:
      stream = a[1] == 4 ? tmpfile() : tmpfile64();
      return say_new(a[0], stream != NULL ? fileno(stream) : -1);
    default: say_new(a[0], mkstemp(name)); break;
  }
  raw(SYS_unlinkat, AT_FDCWD, name, 0);
}

// A number that comes by a call that no shim sees, and that only the kernel may poll.
void op_queue(const int32_t* a) {
  char name[64];
  snprintf(name, sizeof name, "/kev-oracle-%d", (int)raw(SYS_getpid));
  struct mq_attr attributes = {.mq_maxmsg = 2, .mq_msgsize = 64};
  mqd_t queue = mq_open(name, O_CREAT | O_EXCL | O_RDWR | O_NONBLOCK, 0600, &attributes);
  say_new(a[0], (int)queue);
  mq_unlink(name);
}

static int pair_by_syscall(bool sockets, int slot) {
  int fds[2];
  long result = sockets ? syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds)
                        : syscall(SYS_pipe2, fds, O_NONBLOCK);
  if (result < 0) return -1;
  say_new(slot + 1, fds[1]);
  return fds[0];
}

// Descriptors that come by syscall().
void op_syscall_make(const int32_t* a) {
  int fd = fd_of(a[1]);
  switch (a[3]) {
    case 1: return say_new(a[0], (int)syscall(SYS_fcntl, fd, F_DUPFD, a[2]));
    case 2: return say_new(a[0], (int)syscall(SYS_dup3, fd, a[2], 0));
    case 3: return say_new(a[0], (int)syscall(SYS_eventfd2, 0, EFD_NONBLOCK));
    case 4: return say_new(a[0], pair_by_syscall(false, a[0]));
    case 5: return say_new(a[0], pair_by_syscall(true, a[0]));
    case 6: return say_result(syscall(SYS_fcntl, fd, F_GETFD));
    case 7: return say_result(syscall(SYS_close_range, a[2], a[2] + 1, 0));
    default: return say_new(a[0], (int)syscall(SYS_dup, fd));
  }
}

// A lock is given up at once: another process would wait for it for ever.
static void lock(int fd, int command) {
  struct flock whole = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
  say_result(fcntl(fd, command, &whole));
  whole.l_type = F_UNLCK;
  whole.l_pid = 0;
  fcntl(fd, command, &whole);
}

void op_control(const int32_t* a) {
  int fd = fd_of(a[0]);
  switch (a[1]) {
    case 1: return say_result(__fcntl(fd, F_GETFD));
    case 2: return say_result(fcntl64(fd, F_GETFD));
    case 3: return lock(fd, F_SETLKW);
    case 4: return lock(fd, F_OFD_SETLKW);
    case 5: return say_result(lockf(fd, F_TEST, 0));
    case 6:
      say_result(lockf(fd, F_LOCK, 0));
      return say_result(lockf(fd, F_ULOCK, 0));
    default: return say_result(fcntl(fd, F_GETFD));
  }
}

void op_fopen(const int32_t* a) {
  unsigned at = (unsigned)a[1] % STREAMS;
  if (world.stream[at] != NULL) return say(0);
  char name[256];
  name_of(PATH_FIFO, name, sizeof name);
  FILE* stream = a[2] == 1 ? fopen64(name, "r+") : fopen(name, "r+");
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
  // A FIFO's reader would wait for a writer.
  bool waits = (unsigned)a[1] % PATHS == PATH_FIFO || (unsigned)a[1] % PATHS == PATH_FIFO_READ;
  name_of(waits ? PATH_NULL : a[1], name, sizeof name);
  world.stream[at] = (a[2] == 1 ? freopen64 : freopen)(name, "r", world.stream[at]);
  say(world.stream[at] != NULL);
  if (world.stream[at] == NULL) return;
  say(fileno(world.stream[at]));
  make_nonblocking(fileno(world.stream[at]));
}

void op_epoll_create(const int32_t* a) { say_new(a[0], a[1] == 1 ? epoll_create(5) : epoll_create1(0)); }

void op_dup(const int32_t* a) { say_new(a[0], dup(fd_of(a[1]))); }

void op_dup2(const int32_t* a) {
  if (fd_of(a[1]) < 3) return say(0);
  say_result((a[2] == 1 ? __dup2 : dup2)(fd_of(a[0]), fd_of(a[1])));
}

void op_dup2_number(const int32_t* a) { say_new(a[0], dup2(fd_of(a[1]), a[2])); }

void op_dup3(const int32_t* a) {
  if (fd_of(a[1]) < 3) return say(0);
  say_result(dup3(fd_of(a[0]), fd_of(a[1]), a[2]));
}

void op_fcntl_dup(const int32_t* a) {
  say_new(a[0], fcntl(fd_of(a[1]), a[3] ? F_DUPFD_CLOEXEC : F_DUPFD, a[2]));
}
