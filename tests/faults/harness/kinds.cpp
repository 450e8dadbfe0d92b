// Names system calls by number, and by the argument that makes them differ.
#include "harness/kinds.hpp"

#include <fcntl.h>
#include <linux/membarrier.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>

namespace faults {

namespace {

std::string text_at(pid_t tid, uint64_t address) {
  char text[256] = {};
  iovec here = {text, sizeof text - 1};
  iovec there = {reinterpret_cast<void*>(address), sizeof text - 1};
  if (::process_vm_readv(tid, &here, 1, &there, 1, 0) >= 0) return text;
  there.iov_len = here.iov_len = 4096 - address % 4096 < sizeof text ? 4096 - address % 4096 : sizeof text - 1;
  return ::process_vm_readv(tid, &here, 1, &there, 1, 0) < 0 ? "" : text;
}

std::string file_of(const std::string& path) {
  if (path == "/proc/self/status") return "status";
  if (path.compare(0, 6, "/proc/") == 0) return "process";
  if (path.find(".stats") != std::string::npos) return "counters";
  return "executable";
}

std::string kind_of_file(pid_t tid, int fd) {
  const std::string name = descriptor_name(tid, fd);  // "/proc/123/status", of whichever process
  if (name == "/proc/" + std::to_string(process_of(tid)) + "/status") return "status";
  return file_of(name);
}

std::string kind_of_fstat(pid_t tid, int fd) {
  if (file_of(descriptor_name(tid, fd)) == "counters") return "fstat counters";
  return "fstat";
}

std::string kind_of_fcntl(uint64_t command) {
  switch (command) {
    case F_DUPFD_CLOEXEC: return "fcntl F_DUPFD_CLOEXEC";
    case F_GETFD: return "fcntl F_GETFD";
    case F_SETSIG: return "fcntl F_SETSIG";
    case F_GETSIG: return "fcntl F_GETSIG";
    default: return "fcntl";
  }
}

}  // namespace

pid_t process_of(pid_t tid) {
  std::ifstream in("/proc/" + std::to_string(tid) + "/status");
  for (std::string line; std::getline(in, line);)
    if (line.compare(0, 5, "Tgid:") == 0) return ::atoi(line.c_str() + 5);
  return tid;
}

std::string descriptor_name(pid_t tid, int fd) {
  char name[256];
  const std::string path = "/proc/" + std::to_string(tid) + "/fd/" + std::to_string(fd);
  const ssize_t size = ::readlink(path.c_str(), name, sizeof name);
  return size < 0 ? std::string() : std::string(name, static_cast<size_t>(size));
}

std::string kind_of(pid_t tid, uint64_t number, const uint64_t* a) {
  switch (number) {
    case SYS_epoll_create1: return "epoll_create1";
    case SYS_epoll_pwait: return "epoll_pwait";
    case SYS_epoll_ctl:
      return a[1] == EPOLL_CTL_ADD ? "epoll_ctl ADD" : a[1] == EPOLL_CTL_MOD ? "epoll_ctl MOD" : "epoll_ctl DEL";
    case SYS_ppoll: return "ppoll";
    case SYS_eventfd2: return "eventfd2";
    case SYS_fcntl: return kind_of_fcntl(a[1]);
    case SYS_close: return "close";
    case SYS_openat: return "openat " + file_of(text_at(tid, a[1]));
    case SYS_read: return "read " + kind_of_file(tid, static_cast<int>(a[0]));
    case SYS_pread64: return "pread64";
    case SYS_pwrite64: return "pwrite64";
    case SYS_write: return "write";
    case SYS_fstat: return kind_of_fstat(tid, static_cast<int>(a[0]));
    case SYS_ftruncate: return "ftruncate";
    case SYS_fallocate: return "fallocate";
    case SYS_unlinkat: return "unlinkat";
    case SYS_faccessat: return "faccessat";
    case SYS_readlinkat: return "readlinkat";
    case SYS_mmap:
      return (a[3] & MAP_SHARED) == 0 ? "mmap memory" : (a[3] & MAP_POPULATE) != 0 ? "mmap ring" : "mmap counters";
    case SYS_io_uring_setup: return "io_uring_setup";
    case SYS_io_uring_enter: return "io_uring_enter";
    case SYS_io_uring_register: return "io_uring_register";
    case SYS_munmap: return "munmap";
    case SYS_madvise: return a[2] == MADV_WIPEONFORK ? "madvise WIPEONFORK" : "madvise DONTNEED";
    case SYS_prlimit64: return a[1] == RLIMIT_NOFILE ? "prlimit64 NOFILE" : "prlimit64 FSIZE";
    case SYS_sigaltstack: return "sigaltstack";
    case SYS_nanosleep: return "nanosleep";
    case SYS_rt_sigprocmask:
      return a[0] == SIG_BLOCK ? "rt_sigprocmask BLOCK" : a[0] == SIG_SETMASK ? "rt_sigprocmask SETMASK"
                                                                             : "rt_sigprocmask (a look)";
    case SYS_rt_sigaction: return a[1] == 0 ? "rt_sigaction get" : "rt_sigaction set";
    case SYS_rt_sigtimedwait: return "rt_sigtimedwait";
    case SYS_membarrier:
      return a[0] == MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED ? "membarrier register" : "membarrier";
    case SYS_tgkill: return "tgkill";
    case SYS_rt_tgsigqueueinfo: return "rt_tgsigqueueinfo";
    case SYS_sched_yield: return "sched_yield";
    case SYS_getppid: return "getppid";
    case SYS_getpid: return "getpid";
    case SYS_geteuid: return "geteuid";
    case SYS_gettid: return "gettid";
    case SYS_wait4: return "wait4";
    default: return "call " + std::to_string(number);
  }
}

}  // namespace faults
