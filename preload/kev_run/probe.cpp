// Trying system calls where a seccomp filter may kill for them: in children, which write down what they try.
//
// A child goes through the list until it dies; the next one begins behind the call that killed it. Most filters
// kill for none and cost one child.
#include "probe.hpp"

#include "arch_syscall.hpp"
#include "child.hpp"
#include "config/probed.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <linux/membarrier.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ctime>
#include <unistd.h>

namespace kev::run {

namespace {

using arch::syscall;

constexpr size_t kCalls = std::size(config::kProbes);
enum Outcome : unsigned char { untried, trying, passed, refused };

long word(const void* pointer) { return reinterpret_cast<long>(pointer); }

// For a call that the core can do without, if it is refused and no worse.
long tolerated(long result) { return result < 0 ? 0 : result; }

// Makes the call that the shim would make. On an invalid descriptor where a valid one would do something: a filter
// has spoken before the kernel looks at it.
long make_call(const char* name) {
  alignas(8) static char memory[4096];
  auto is = [name](const char* other) { return std::strcmp(name, other) == 0; };
  timespec zero = {0, 0};
  epoll_event event = {};
  struct stat status;
  struct rlimit limit;
  if (is("epoll_create1")) return syscall(SYS_epoll_create1, EPOLL_CLOEXEC);
  if (is("epoll_ctl")) return syscall(SYS_epoll_ctl, -1, EPOLL_CTL_ADD, -1, word(&event));
  if (is("epoll_pwait")) return syscall(SYS_epoll_pwait, -1, word(&event), 1, 0, 0, 8);
  if (is("ppoll")) return syscall(SYS_ppoll, 0, 0, word(&zero), 0, 8);
  if (is("fcntl")) return syscall(SYS_fcntl, -1, F_DUPFD_CLOEXEC, 3);
  if (is("fstat")) return syscall(SYS_fstat, -1, word(&status));
  if (is("readlinkat")) return syscall(SYS_readlinkat, AT_FDCWD, word("/"), word(memory), sizeof memory);
  if (is("eventfd2")) return syscall(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (is("madvise")) return syscall(SYS_madvise, word(nullptr), 0, MADV_WIPEONFORK);
  if (is("mmap")) return syscall(SYS_mmap, 0, sizeof memory, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (is("munmap")) return syscall(SYS_munmap, 0, 4096);
  if (is("ftruncate")) return syscall(SYS_ftruncate, -1, 0);
  if (is("fallocate")) return syscall(SYS_fallocate, -1, 0, 0, 4096);
  if (is("openat")) return syscall(SYS_openat, AT_FDCWD, word("/"), O_RDONLY | O_CLOEXEC, 0);
  if (is("close")) return syscall(SYS_close, -1);
  if (is("prctl")) return syscall(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0, 0);
  if (is("clock_gettime")) return syscall(SYS_clock_gettime, CLOCK_MONOTONIC, word(&zero));
  if (is("getpid")) return syscall(SYS_getpid);
  if (is("geteuid")) return syscall(SYS_geteuid);
  if (is("pread64")) return syscall(SYS_pread64, -1, word(memory), 1, 0);
  if (is("pwrite64")) return syscall(SYS_pwrite64, -1, word(memory), 1, 0);
  if (is("write")) return syscall(SYS_write, -1, word(memory), 1);
  if (is("prlimit64")) return syscall(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, word(&limit));
  if (is("read")) return syscall(SYS_read, -1, word(memory), 1);
  if (is("unlinkat")) return syscall(SYS_unlinkat, -1, word(""), 0);
  if (is("rt_sigprocmask")) return syscall(SYS_rt_sigprocmask, SIG_BLOCK, 0, word(memory), 8);
  if (is("rt_sigtimedwait")) return syscall(SYS_rt_sigtimedwait, word(memory), 0, word(&zero), 8);
  if (is("sigaltstack")) return syscall(SYS_sigaltstack, 0, 0);
  if (is("nanosleep")) return syscall(SYS_nanosleep, word(&zero), 0);
  if (is("membarrier")) return tolerated(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0));
  if (is("getppid")) return syscall(SYS_getppid);
  if (is("gettid")) return syscall(SYS_gettid);
  if (is("sched_yield")) return syscall(SYS_sched_yield);
  if (is("tgkill")) return syscall(SYS_tgkill, -1, -1, 0);
  if (is("rt_tgsigqueueinfo")) return syscall(SYS_rt_tgsigqueueinfo, -1, -1, 0, word(memory));
  if (is("rt_sigaction")) return syscall(SYS_rt_sigaction, SIGCHLD, 0, word(memory), 8);
  if (is("pselect6")) return syscall(SYS_pselect6, 0, 0, 0, 0, word(&zero), 0);
  if (is("clock_nanosleep")) return syscall(SYS_clock_nanosleep, CLOCK_REALTIME, 0, word(&zero), 0);
  return -ENOSYS;
}

void try_from(size_t first, Outcome* outcomes, bool may_prctl) {
  // A death by filter is expected here and should leave no core file.
  if (may_prctl) syscall(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  for (size_t i = first; i < kCalls; ++i) {
    outcomes[i] = trying;
    long result = make_call(config::kProbes[i]);
    outcomes[i] = result == -EPERM || result == -EACCES || result == -ENOSYS ? refused : passed;
  }
}

}  // namespace

Restrictions read_restrictions() {
  Restrictions out;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    unsigned value = 0;
    out.known = true;
    if (std::sscanf(line.c_str(), "Seccomp: %u", &value) == 1) out.filtered = value != 0;
    if (std::sscanf(line.c_str(), "NoNewPrivs: %u", &value) == 1) out.no_new_privileges = value != 0;
    if (std::sscanf(line.c_str(), "Seccomp_filters: %u", &value) == 1) out.filters = value, out.counted = true;
  }
  return out;
}

std::string probe_calls(unsigned filters) {
  void* shared = ::mmap(nullptr, kCalls, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return "";
  auto* outcomes = static_cast<Outcome*>(shared);
  bool may_prctl = false;
  size_t first = 0;
  while (first < kCalls) {
    pid_t child = start_child();
    if (child == 0) {
      try_from(first, outcomes, may_prctl);
      ::_exit(0);
    }
    if (child < 0 || await_child(child) < 0) break;
    size_t at = first;
    while (at < kCalls && outcomes[at] >= passed) ++at;
    if (at < kCalls && outcomes[at] == untried) break;  // the child did not get as far as trying anything
    first = at + 1;
    for (size_t i = 0; i < kCalls; ++i)
      if (outcomes[i] == passed && std::strcmp(config::kProbes[i], "prctl") == 0) may_prctl = true;
  }
  std::string names;
  for (size_t i = 0; i < kCalls; ++i)
    if (outcomes[i] == passed) names.append(names.empty() ? "" : ",").append(config::kProbes[i]);
  ::munmap(shared, kCalls);
  return names.empty() ? "" : std::to_string(filters) + ":" + names;
}

}  // namespace kev::run
