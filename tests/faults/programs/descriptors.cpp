// Descriptors that are closed, replaced and run out while they are polled.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "support/shown.hpp"

using namespace scenario;

namespace {

struct Watch {
  pollfd fds[5];
  Watch() {
    for (pollfd& entry : fds) entry = {::eventfd(0, EFD_NONBLOCK), POLLIN, 0};
    show_polls("quiet", fds);
  }
};

void limit_to(unsigned long descriptors) {
  rlimit limit;
  CHECK(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = descriptors;
  CHECK(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

}  // namespace

SCENARIO(reused) {
  Watch watch;
  int pipe[2];
  CHECK(::pipe(pipe) == 0);
  put(pipe[1]);
  const int fd = watch.fds[1].fd;
  print("%d\n", ::dup2(pipe[0], fd));
  show_polls("replaced", watch.fds);
  print("%d\n", ::close(fd));
  show_polls("closed", watch.fds);
  print("%d\n", ::eventfd(0, EFD_NONBLOCK));
  show_polls("another", watch.fds);
  put(fd);
  show_polls("ready", watch.fds);
  print("%d\n", ::dup(fd));
  ::close(fd);
  show_polls("closed, and its file is not", watch.fds);
  print("%d\n", ::fcntl(pipe[0], F_DUPFD, fd));
  show_polls("a pipe's", watch.fds);
  ::close_range(static_cast<unsigned>(watch.fds[3].fd), static_cast<unsigned>(watch.fds[4].fd), 0);
  show_polls("two are closed", watch.fds);
  show_open_descriptors();
}

// The numbers near the object's own are taken by the program; its own set is one of the kernel's.
SCENARIO(far_numbers) {
  Watch watch;
  for (int fd : {200, 240, 250, 255, 300, 1000, 1020}) {
    print("%d\n", ::dup2(1, fd));
    show_polls("quiet", watch.fds, 1);
  }
  for (int fd = 30; fd < 64; ++fd) CHECK(::dup2(1, fd) == fd);
  show_polls("quiet", watch.fds);
  const int set = ::epoll_create1(0);
  epoll_event event = {EPOLLIN, {}};
  CHECK(::epoll_ctl(set, EPOLL_CTL_ADD, watch.fds[0].fd, &event) == 0);
  put(watch.fds[0].fd);
  print("%d\n", ::epoll_wait(set, &event, 1, 100));
  print("close: %d %d\n", ::close(set), ::close(1023));
  show_polls("ready", watch.fds);
  show_open_descriptors();
}

SCENARIO(run_out) {
  Watch watch;
  limit_to(60);
  show_polls("limited", watch.fds);
  int made = 0, last = -1;
  while (const int fd = ::eventfd(0, EFD_NONBLOCK)) {
    if (fd < 0) break;
    last = fd;
    if (++made % 16 == 0) show_poll("quiet", watch.fds, 0);
  }
  print("%d made, the last is %d, errno %d\n", made, last, errno);
  show_polls("at the limit", watch.fds);
  put(last);
  watch.fds[0].fd = last;
  show_polls("the last one", watch.fds);
  for (int fd = last; fd > last - 20; --fd) ::close(fd);
  show_polls("closed", watch.fds);
  show_open_descriptors();
}

SCENARIO_MAIN
