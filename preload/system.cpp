// system(): a shell that is waited for, at a cancellation point.
//
// libc's own does the same by functions inside itself. A cancelled thread kills its shell and reaps it, and puts the
// signals back; a shell that has ended has its status returned.
#include <arch_syscall.hpp>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <spawn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cancel/clean_up.hpp"
#include "cancel/point.hpp"
#include "os/thread.hpp"
#include "preload/point.hpp"
#include "process/quiet.hpp"

namespace kev::preload {

namespace {

// SIGINT and SIGQUIT are ignored while any thread is in here, and what the program had is put back by the last.
class Ignored {
 public:
  void enter() {
    lock();
    if (users_++ == 0) {
      struct sigaction ignore = {};
      ignore.sa_handler = SIG_IGN;
      sigaction(SIGINT, &ignore, &interrupt_);
      sigaction(SIGQUIT, &ignore, &quit_);
    }
    unlock();
  }
  void leave() {
    lock();
    if (--users_ == 0) {
      sigaction(SIGINT, &interrupt_, nullptr);
      sigaction(SIGQUIT, &quit_, nullptr);
    }
    unlock();
  }
  // Those that the shell gets back: a program's handlers do not outlive exec.
  sigset_t defaults() const {
    sigset_t set;
    sigemptyset(&set);
    if (interrupt_.sa_handler != SIG_IGN) sigaddset(&set, SIGINT);
    if (quit_.sa_handler != SIG_IGN) sigaddset(&set, SIGQUIT);
    return set;
  }

 private:
  void lock() {
    while (locked_.exchange(true, std::memory_order_acquire)) os::pause_ns(50'000);
  }
  void unlock() { locked_.store(false, std::memory_order_release); }

  std::atomic<bool> locked_{false};
  int users_ = 0;
  struct sigaction interrupt_ = {};
  struct sigaction quit_ = {};
};
constinit Ignored ignored;

struct Shell {
  pid_t pid;
  sigset_t mask;
};

void put_back(const Shell& shell) {
  ignored.leave();
  sigprocmask(SIG_SETMASK, &shell.mask, nullptr);
}

void end(void* argument) {
  auto& shell = *static_cast<Shell*>(argument);
  kill(shell.pid, SIGKILL);
  while (arch::syscall(SYS_wait4, shell.pid, 0, 0, 0) == -EINTR) {
  }
  put_back(shell);
}

// The error.
int start(Shell& shell, const char* command) {
  sigset_t defaults = ignored.defaults();
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setsigmask(&attributes, &shell.mask);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  const char* const arguments[] = {"sh", "-c", command, nullptr};
  int error =
      kev_posix_spawn(&shell.pid, "/bin/sh", nullptr, &attributes, const_cast<char* const*>(arguments), environ);
  posix_spawnattr_destroy(&attributes);
  return error;
}

// The status, or -1.
long status_of(void* argument) {
  const auto& shell = *static_cast<Shell*>(argument);
  int status = -1;
  long result;
  do result = raw_point(SYS_wait4, shell.pid, &status, 0, nullptr);
  while (result == -EINTR);
  return result == shell.pid ? status : -1;
}

}  // namespace

}  // namespace kev::preload

using namespace kev::preload;

extern "C" int kev_system(const char* command) {
  // Newer C libraries tell the shell that what begins like an option is none.
  bool plain = command != nullptr && *command != '-' && *command != '+';
  if (!plain || !has_points(Family::child) || kev::process::is_quiet()) return behind<&Next::system>(command);
  kev::cancel::pass_point();
  Shell shell;
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  ignored.enter();
  sigprocmask(SIG_BLOCK, &child, &shell.mask);
  int error = start(shell, command);
  constexpr int kNoShell = 127 << 8;  // as if it had ended with 127
  long status = error == 0 ? kev::cancel::run_with_clean_up(status_of, end, &shell) : kNoShell;
  put_back(shell);
  if (error != 0) errno = error;
  return static_cast<int>(status);
}
