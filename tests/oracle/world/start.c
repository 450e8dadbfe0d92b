// The process that executes a sequence: how it comes to be, and what it begins with.
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "world.h"

const char* shared_path;
const char* folder;
bool leaves_by_exit;

void attach(const char* path) {
  shared_path = path;
  leaves_by_exit = getenv("ORACLE_EXIT") != NULL;
  long fd = raw(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
  if (fd < 0) _exit(99);
  void* at = (void*)raw6(SYS_mmap, 0, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if ((uintptr_t)at > (uintptr_t)-4096) _exit(99);
  shared = at;
  raw(SYS_close, fd);
}

void have_own_network(void) {
  if (raw(SYS_unshare, CLONE_NEWNET) != 0) return;
  struct ifreq lo;
  memset(&lo, 0, sizeof lo);
  memcpy(lo.ifr_name, "lo", 3);
  lo.ifr_flags = IFF_UP;
  long fd = raw(SYS_socket, AF_INET, SOCK_DGRAM, 0);
  raw(SYS_ioctl, fd, SIOCSIFFLAGS, &lo);
  raw(SYS_close, fd);
}

// Files are as every sequence expects them.
static void prepare_files(void) {
  char name[256];
  snprintf(name, sizeof name, "%s/file", folder);
  long fd = raw(SYS_openat, AT_FDCWD, name, O_CREAT | O_TRUNC | O_RDWR, 0600);
  if (fd >= 0) {
    raw(SYS_write, fd, "some text\n", 10);
    raw(SYS_close, fd);
  }
  snprintf(name, sizeof name, "%s/fifo", folder);
  raw(SYS_mknodat, AT_FDCWD, name, 0010600, 0);
}

void execute_sequence(void) {
  memset(&world, 0, sizeof world);
  for (unsigned i = 0; i < SLOTS; ++i) world.fd[i] = -1;
  for (unsigned i = 0; i < ARRAYS * ENTRIES; ++i) world.array[i / ENTRIES][i % ENTRIES].fd = -1;
  prepare_files();
  prepare_signals();
  run(0, shared->count);
  begin_record(shared->count);
  check_all();
  // Through the exit handlers: a report of coverage is written there.
  if (leaves_by_exit) exit(0);
  _exit(0);
}

int32_t in_child(bool by_clone) {
  shared->records = shared->words = shared->current = 0;
  long pid = by_clone ? raw(SYS_clone, SIGCHLD, 0, 0, 0, 0) : fork();
  if (pid == 0) {
    raw(SYS_setpgid, 0, 0);
    execute_sequence();
  }
  if (pid < 0) return -1;
  raw(SYS_setpgid, pid, pid);
  __atomic_store_n(&shared->pid, (int32_t)pid, __ATOMIC_RELEASE);
  int status = 0;
  while (raw(SYS_wait4, pid, &status, 0, 0) == -EINTR) continue;
  // What it left behind: children that sleep.
  raw(SYS_kill, -pid, SIGKILL);
  __atomic_store_n(&shared->pid, 0, __ATOMIC_RELEASE);
  return status;
}
