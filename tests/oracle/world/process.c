// Blocks that another process executes: a child of fork, of vfork, or one that executes this program anew. The parent
// waits for it and goes on as it was.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
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

void run_fork(unsigned at, unsigned end) {
  pid_t pid = fork();
  if (pid == 0) {
    world.alone = true;
    run(at + 1, end);
    _exit(7);
  }
  reap(at, pid);
}

// The child has our memory: what it does to the slots is undone.
void run_vfork(unsigned at, unsigned end) {
  static World before;
  sigjmp_buf* jump_before = jump;
  memcpy(&before, &world, sizeof before);
  volatile unsigned from = at + 1;
  pid_t pid = vfork();
  if (pid == 0) {
    world.alone = world.shares_memory = true;
    run(from, end);
    _exit(7);
  }
  memcpy(&world, &before, sizeof before);
  jump = jump_before;
  reap(at, pid);
}

void run_exec(unsigned at, unsigned end) {
  _Static_assert(sizeof world <= sizeof shared->world, "the state fits");
  memcpy(shared->world, &world, sizeof world);
  pid_t pid = fork();
  if (pid == 0) {
    char from[16], to[16];
    snprintf(from, sizeof from, "%u", at + 1);
    snprintf(to, sizeof to, "%u", end);
    execl("/proc/self/exe", "oracle-world", "--continue", shared_path, folder, from, to, (char*)NULL);
    _exit(9);
  }
  reap(at, pid);
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
  unsigned end = (unsigned)atoi(argv[5]);
  for (unsigned i = 0; i < ARRAYS; ++i) world.length[i] %= ENTRIES + 1;
  run((unsigned)atoi(argv[4]), end);
  return 7;
}

void op_limit(const int32_t* a) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = (rlim_t)a[0];
  say_result(setrlimit(RLIMIT_NOFILE, &limit));
}

// Makes descriptors until there are no more, or many: each number must come as it would.
void op_exhaust(const int32_t* a) {
  enum { MANY = 64 };
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
