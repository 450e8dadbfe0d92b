// Waits by one thread: poll, ppoll, select and pselect over pipes, sockets and eventfds.
#include <setjmp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <thread>

#include "support/shown.hpp"

using namespace scenario;

namespace {

// Two pipes, a socket pair, two eventfds: what can be read is made so by put(), what is put can be taken.
struct Peers {
  int first[2], second[2], sockets[2], events[2];
  Peers() {
    CHECK(::pipe(first) == 0 && ::pipe(second) == 0);
    CHECK(::socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
    for (int& fd : events) fd = ::eventfd(0, EFD_NONBLOCK);
  }
};

sigjmp_buf back;
void note(int) { handled = handled + 1; }
void leave(int) { ::siglongjmp(back, 1); }

void set_timer(long us, long again_us = 0) {
  const itimerval time = {{0, again_us}, {0, us}};
  CHECK(::setitimer(ITIMER_REAL, &time, nullptr) == 0);
}

void alarm_in(long us, void (*handler)(int), long again_us = 0) {
  struct sigaction action = {};
  action.sa_handler = handler;
  CHECK(::sigaction(SIGALRM, &action, nullptr) == 0);
  set_timer(us, again_us);
}

}  // namespace

// Descriptors come and go in the array, events with them.
SCENARIO(polls) {
  Peers p;
  pollfd fds[8] = {{p.first[0], POLLIN, 0},   {p.second[0], POLLIN, 0}, {p.sockets[0], POLLIN, 0},
                   {p.events[0], POLLIN, 0},  {p.events[1], POLLIN, 0}, {p.first[1], POLLPRI, 0},
                   {p.second[1], POLLPRI, 0}, {-1, POLLIN, 0}};
  show_polls("quiet", fds);
  put(p.first[1]);
  show_polls("a pipe", fds);
  put(p.events[1]);
  show_polls("and an eventfd", fds);
  take(p.first[0]);
  fds[0].events = 0;
  show_polls("one less", fds, 2);
  fds[7] = {p.sockets[1], POLLOUT, 0};
  show_polls("one more", fds, 2);
  fds[2] = {p.sockets[1], POLLIN, 0};
  fds[7].fd = -1;
  show_polls("another", fds, 2);
  for (unsigned used : {8u, 3u, 8u}) show_poll("longer and shorter", fds, 0, used);
  take(p.events[1]);
  show_poll("asleep", fds, 2);
  show_poll("asleep for longer", fds, 7);
  put(p.sockets[0]);
  show_poll("ready at once", fds, 1000);
  ::close(p.sockets[0]);
  show_polls("hung up", fds, 2);
  show_open_descriptors();
}

SCENARIO(selects) {
  Peers p;
  const int highest = p.events[1] + 1;
  auto show = [&](const char* what, long us, bool with_out) {
    fd_set in, out;
    int result;
    do {
      FD_ZERO(&in);
      FD_ZERO(&out);
      for (int fd : {p.first[0], p.second[0], p.sockets[0], p.events[0], p.events[1]}) FD_SET(fd, &in);
      FD_SET(p.sockets[1], &out);
      timeval time = {0, us};
      result = ::select(highest, &in, with_out ? &out : nullptr, nullptr, &time);
    } while (result < 0 && is_shown(errno));
    print("%s: %d", what, result);
    for (int fd = 0; fd < highest; ++fd)
      print(" %d%d", FD_ISSET(fd, &in) ? 1 : 0, with_out && FD_ISSET(fd, &out) ? 1 : 0);
    print("\n");
  };
  for (int i = 0; i < 3; ++i) show("quiet", 0, false);
  put(p.second[1]);
  for (int i = 0; i < 3; ++i) show("a pipe", 0, false);
  for (int i = 0; i < 3; ++i) show("to be written", 0, true);
  take(p.second[0]);
  show("asleep", 2000, false);
  show("asleep for longer", 7000, false);
  const timespec time = {0, 1'000'000};
  for (int i = 0; i < 3; ++i) {
    fd_set in;
    int result;
    do {
      FD_ZERO(&in);
      FD_SET(p.first[0], &in);
      FD_SET(p.events[0], &in);
      result = ::pselect(highest, &in, nullptr, nullptr, &time, nullptr);
    } while (result < 0 && is_shown(errno));
    print("pselect: %d\n", result);
  }
  show_open_descriptors();
}

// A handler that interrupts a wait, one that only a mask lets in, and one that jumps out.
SCENARIO(signals) {
  Peers p;
  pollfd fds[4] = {
      {p.first[0], POLLIN, 0}, {p.second[0], POLLIN, 0}, {p.sockets[0], POLLIN, 0}, {p.events[0], POLLIN, 0}};
  show_polls("quiet", fds);
  // Again and again, should it come before the wait has begun.
  for (long us : {2000, 8000}) {
    alarm_in(us, note, us);
    const int result = ::poll(fds, 4, 10'000);
    const int error = errno;
    set_timer(0);
    print("interrupted: %d errno %d\n", result, error);
  }
  handled = 0;
  sigset_t blocked, open;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGALRM);
  ::sigprocmask(SIG_BLOCK, &blocked, &open);
  sigset_t* far = new sigset_t(open);
  for (int i = 0; i < 3; ++i) {
    alarm_in(1000, note);
    const timespec time = {1, 0};
    const int before = handled;
    int result;
    do result = ::ppoll(fds, 4, &time, far);
    while (result < 0 && handled == before && is_shown(errno));
    print("ppoll: %d errno %d handled %d\n", result, result < 0 ? errno : 0, handled);
  }
  ::sigprocmask(SIG_SETMASK, &open, nullptr);
  static int i;  // keeps its value over the jump
  for (i = 0; i < 3; ++i) {
    if (sigsetjmp(back, 1) == 0) {
      alarm_in(1500, leave);
      show_poll("never", fds, 1000);
    }
    show_polls("after a jump", fds);
    put(p.events[0]);
    show_polls("ready", fds);
    take(p.events[0]);
  }
  // From no deeper a frame than the one that was left: it is known to be gone.
  show_poll("quiet", fds, 0);
  sigset_t now;
  ::sigprocmask(SIG_BLOCK, nullptr, &now);
  print("blocked:");
  for (int signal = 1; signal < 32; ++signal)
    if (sigismember(&now, signal) == 1) print(" %d", signal);
  print("\n");
  show_open_descriptors();
}

namespace {

void show_asked(int set, int times) {
  epoll_event events[4];
  for (int i = 0; i < times; ++i) {
    const int result = ::epoll_wait(set, events, 4, 0);
    if (result != 0 || i + 1 == times) print("asked: %d errno %d\n", result, result < 0 ? errno : 0);
  }
}

}  // namespace

// Sets that are asked again and again without waiting: by two threads, over a fork, closed at last.
SCENARIO(doorbells) {
  Peers p;
  static int set;
  set = ::epoll_create1(0);
  epoll_event event = {EPOLLIN, {.fd = p.events[0]}};
  ::epoll_ctl(set, EPOLL_CTL_ADD, p.events[0], &event);
  for (int round = 0; round < 3; ++round) {
    show_asked(set, 12);
    put(p.events[0]);
    show_asked(set, 2);
    take(p.events[0]);
  }
  std::thread([] { show_asked(set, 12); }).join();
  show_asked(set, 3);
  ::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    show_asked(set, 12);
    ::fflush(nullptr);
    ::_exit(0);
  }
  int status;
  ::waitpid(child, &status, 0);
  print("child: %d\n", status);
  show_asked(set, 12);
  ::close(set);
  show_asked(set, 1);
  show_open_descriptors();
}

SCENARIO_MAIN
