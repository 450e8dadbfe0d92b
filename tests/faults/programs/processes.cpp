// Children, what is executed, filters, and the ways to end.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "support/shown.hpp"

using namespace scenario;

extern char** environ;

namespace {

struct Watch {
  pollfd fds[4];
  Watch() {
    for (pollfd& entry : fds) entry = {::eventfd(0, EFD_NONBLOCK), POLLIN, 0};
    show_polls("quiet", fds);
  }
};

}  // namespace

SCENARIO(forked) {
  Watch watch;
  for (int i = 0; i < 2; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      const int own = ::eventfd(0, EFD_NONBLOCK);
      print("the child's is %d\n", own);
      show_polls("in the child", watch.fds);
      put(watch.fds[0].fd);
      show_polls("ready in the child", watch.fds);
      print("close: %d\n", ::close(own));
      show_open_descriptors();
      if (i == 0) ::_exit(0);
      ::exit(0);
    }
    expect_success(child);
    show_polls("ready in the parent", watch.fds);
    take(watch.fds[0].fd);
    show_polls("quiet again", watch.fds);
  }
  show_open_descriptors();
}

SCENARIO(executed) {
  Watch watch;
  print("system: %d\n", ::system("exit 3"));
  pid_t child = 0;
  char name[] = "true";
  char* words[] = {name, nullptr};
  print("spawned: %d\n", ::posix_spawnp(&child, name, nullptr, nullptr, words, environ));
  expect_success(child);
  show_polls("after them", watch.fds);
  char self[] = "processes", next[] = "list";
  char* again[] = {self, next, nullptr};
  for (const pollfd& entry : watch.fds) ::fcntl(entry.fd, F_SETFD, FD_CLOEXEC);
  ::execv("/proc/self/exe", again);
  CHECK(false);
}

SCENARIO(list) {
  Watch watch;
  show_open_descriptors();
}

// A child goes on counting when the process ends that reports.
SCENARIO(outlived) {
  Watch watch;
  int runs[2];
  CHECK(::pipe(runs) == 0);
  if (::fork() == 0) {
    put(runs[1]);
    pause_us(20'000);
    ::_exit(0);
  }
  take(runs[0]);
  show_open_descriptors();
}

// From here on no system call may be made that the program does not ask for.
SCENARIO(filtered) {
  Watch watch;
  put(watch.fds[1].fd);
  show_polls("ready", watch.fds);
  sock_filter all[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program = {1, all};
  print("%d ", ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  print("%d\n", ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0));
  show_polls("filtered", watch.fds);
  print("open:");
  for (int fd : open_numbers()) print(" %d", fd);
  print("\n");
  ::_exit(0);
}

SCENARIO_MAIN
