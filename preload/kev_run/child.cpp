// Making, feeding and reaping kev-run's own children.
#include "child.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace kev::run {

namespace {

constexpr int kExecFailed = 127;

}  // namespace

pid_t start_child() {
  // No flags, and 0 as the signal that tells of the end: a fork whose end is silent.
  return static_cast<pid_t>(::syscall(SYS_clone, 0, 0, 0, 0, 0));
}

int await_child(pid_t child) {
  int status = 0;
  pid_t got = -1;
  do got = ::waitpid(child, &status, __WALL);
  while (got < 0 && errno == EINTR);
  return got == child ? status : -1;
}

bool run_and_read(const char* path, char* const* argv, char* const* envp, std::string& output) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return false;
  pid_t child = start_child();
  if (child == 0) {
    // Above 2 first: kev-run may itself have been started without a stdin, stdout or stderr.
    int writer = ::fcntl(ends[1], F_DUPFD_CLOEXEC, 3);
    ::dup2(writer, STDOUT_FILENO);
    ::dup2(writer, STDERR_FILENO);
    // An exec makes the end of a process loud again (SIGCHLD): the loud one is a grandchild, and its parent this.
    pid_t grandchild = ::vfork();
    if (grandchild == 0) {
      ::execve(path, argv, envp);
      ::_exit(kExecFailed);
    }
    int ended = grandchild < 0 ? -1 : await_child(grandchild);
    ::_exit(WIFEXITED(ended) ? WEXITSTATUS(ended) : 0);
  }
  ::close(ends[1]);
  char buffer[4096];
  while (child > 0) {
    ssize_t n = ::read(ends[0], buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    output.append(buffer, static_cast<size_t>(n));
  }
  ::close(ends[0]);
  if (child < 0) return false;
  int status = await_child(child);
  return !(WIFEXITED(status) && WEXITSTATUS(status) == kExecFailed);
}

}  // namespace kev::run
