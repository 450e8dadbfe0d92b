// Blocks that another process executes: a child of fork, of vfork, or one that executes this program anew. The parent
// waits for it and goes on as it was.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include "world.h"

// The parent records what became of the child once it has ended: one of them writes at a time.
static void reap(unsigned at, long pid) {
  int status = 0;
  while (pid > 0 && raw(SYS_wait4, pid, &status, 0, 0) == -EINTR) continue;
  shared->current = at;
  begin_record(at);
  say(pid > 0);
  say(status);
}

pid_t __fork(void);
__attribute__((weak)) pid_t _Fork(void);  // glibc 2.34 and newer
int __clone(int (*)(void*), void*, int, void*, ...);
__attribute__((returns_twice)) pid_t __vfork(void);

void run_fork(unsigned at, unsigned end) {
  int way = shared->op[at].argument[1];
  pid_t pid = way == 1 ? __fork() : way == 3 && _Fork != NULL ? _Fork() : fork();
  if (pid == 0) {
    world.alone = true;
    run(at + 1, end);
    if (leaves_by_exit) exit(7);
    if (way == 2) _Exit(7);
    _exit(7);
  }
  reap(at, pid);
}

struct Block {
  unsigned from, to;
};

static int run_borrowing(void* argument) {
  const struct Block* block = argument;
  world.alone = world.shares_memory = true;
  run(block->from, block->to);
  _exit(7);
}

// The child has our memory: what it does to the slots is undone.
void run_vfork(unsigned at, unsigned end) {
  static World before;
  sigjmp_buf* jump_before = jump;
  memcpy(&before, &world, sizeof before);
  static _Alignas(16) char stack[256 * 1024];
  static struct Block block;
  block = (struct Block){at + 1, end};
  pid_t pid;
  switch (shared->op[at].argument[1]) {
    case 1: pid = clone(run_borrowing, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &block); break;
    case 2: pid = __vfork(); break;
    case 3: pid = __clone(run_borrowing, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &block); break;
    default: pid = vfork();
  }
  if (pid == 0) run_borrowing(&block);
  memcpy(&world, &before, sizeof before);
  jump = jump_before;
  reap(at, pid);
}

// What a program and its C library do to start another one.
static pid_t start(int way, char* const* a) {
  static const char path[] = "/proc/self/exe";
  pid_t pid = -1;
  if (way == 1 || way == 2)
    return (way == 1 ? posix_spawn : posix_spawnp)(&pid, path, NULL, NULL, a, environ) == 0 ? pid : -1;
  pid = way == 0 ? fork() : vfork();
  if (pid != 0) return pid;
  switch (way) {
    case 3: execv(path, a); break;
    case 4: execvpe(path, a, environ); break;
    case 5: execvp(path, a); break;
    case 6: fexecve((int)raw(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0), a, environ); break;
    case 7:
      execle(path, a[0], a[1], a[2], a[3], a[4], a[5], (char*)NULL, environ);
      break;
    default: execl(path, a[0], a[1], a[2], a[3], a[4], a[5], (char*)NULL);
  }
  _exit(9);
}

void run_exec(unsigned at, unsigned end) {
  _Static_assert(sizeof world <= sizeof shared->world, "the state fits");
  memcpy(shared->world, &world, sizeof world);
  char from[16], to[16];
  snprintf(from, sizeof from, "%u", at + 1);
  snprintf(to, sizeof to, "%u", end);
  char* arguments[] = {"oracle-world", "--continue", (char*)shared_path, (char*)folder, from, to, NULL};
  reap(at, start(shared->op[at].argument[1], arguments));
}

static bool is_closed(int fd) { return fcntl(fd, F_GETFD) < 0; }

static bool is_in_a_set(int fd) {
  for (unsigned i = 0; i < SETS * 3; ++i)
    if (FD_ISSET(fd, &world.wanted[i / 3][i % 3])) return true;
  return false;
}

// A closed number that may be the shim's is left out (docs/differences.md): one that this program never had, because exec
// closed it, and any where the descriptor limit leaves the shim no others.
void forget_closed(void) {
  for (unsigned i = 0; i < SLOTS; ++i)
    if (is_closed(world.fd[i])) world.fd[i] = -1;
  for (unsigned i = 0; i < ARRAYS * ENTRIES; ++i) {
    struct pollfd* entry = &world.array[i / ENTRIES][i % ENTRIES];
    if (entry->fd >= 0 && is_closed(entry->fd)) entry->fd = -1;
  }
  for (int fd = 0; fd < FD_SETSIZE; ++fd)
    if (is_in_a_set(fd) && is_closed(fd))
      for (unsigned i = 0; i < SETS * 3; ++i) FD_CLR(fd, &world.wanted[i / 3][i % 3]);
}

// The other end of run_exec().
int exec_continues(int argc, char** argv) {
  if (argc != 6 || strcmp(argv[1], "--continue") != 0) return -1;
  attach(argv[2]);
  folder = argv[3];
  memcpy(&world, shared->world, sizeof world);
  memset(world.stream, 0, sizeof world.stream);
  world.alone = true;
  prepare_signals();
  forget_closed();
  unsigned end = (unsigned)atoi(argv[5]);
  for (unsigned i = 0; i < ARRAYS; ++i) world.length[i] %= ENTRIES + 1;
  run((unsigned)atoi(argv[4]), end);
  return 7;
}

void op_limit(const int32_t* a) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = (rlim_t)a[0];
  world.tight = world.tight || a[0] < 1024;
  switch (a[1]) {
    case 1: return say_result(setrlimit64(RLIMIT_NOFILE, (const struct rlimit64*)&limit));
    case 2: return say_result(prlimit(0, RLIMIT_NOFILE, &limit, NULL));
    case 3: return say_result(prlimit64(0, RLIMIT_NOFILE, (const struct rlimit64*)&limit, NULL));
    case 4: return say_result(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, NULL));
    default: return say_result(setrlimit(RLIMIT_NOFILE, &limit));
  }
}

void op_system(const int32_t* a) {
  FILE* stream;
  char text[8] = "";
  switch (a[0] % 3) {
    case 1:
      stream = popen("echo text", "r");
      if (stream == NULL) return say(errno);
      say(fileno(stream));
      say(fgets(text, sizeof text, stream) != NULL);
      return say(pclose(stream));
    case 2: return say(system(NULL));
    default: return say(system("exit 3"));
  }
}

void op_read_folder(const int32_t* a) {
  (void)a;
  DIR* directory = opendir(folder);
  if (directory == NULL) return say(-errno);
  say(dirfd(directory));
  say_result(closedir(directory));
}

// Sleeps that are over at once.
void op_nap(const int32_t* a) {
  struct timespec moment = {0, 1000};
  struct timespec wrong = {0, -1};
  switch (a[0]) {
    case 1: return say_result(nanosleep(&moment, NULL));
    case 2: return say(clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL));
    case 3: return say(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &moment, NULL));
    case 4: return say(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &moment, NULL));
    case 5: return say_result(nanosleep(&wrong, NULL));
    case 6: return say(thrd_sleep(&moment, NULL));
    case 7: return say((int)sleep(0));
    default: return say_result(usleep(1));
  }
}

// The calling thread's numbers are its own from now on.
void op_unshare(const int32_t* a) {
  say_result(a[0] == 1 ? (int)syscall(SYS_unshare, CLONE_FILES) : unshare(a[0] == 2 ? 0 : CLONE_FILES));
}

// A filter that allows everything.
void op_filter(const int32_t* a) {
  struct sock_filter all[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog program = {1, all};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  say_result(a[0] == 1 ? (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program)
                       : prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0));
}

// Makes descriptors until there are no more, or many: each number must come as it would.
void op_exhaust(const int32_t* a) {
  enum { MANY = 128 };
  int made[MANY];
  int count = 0;
  while (count < MANY) {
    made[count] = a[1] ? fcntl(fd_of(a[0]), F_DUPFD_CLOEXEC, 0) : dup(fd_of(a[0]));
    if (made[count] < 0) break;
    say(made[count++]);
  }
  say(errno);
  while (count > 0) close(made[--count]);
}
