// Children that poll at once, and parents that do not feel them.
#include <pthread.h>
#include <pty.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <atomic>
#include <thread>

#include "support/process.hpp"
#include "support/watched.hpp"

using namespace scenario;

extern "C" pid_t _Fork(void) __attribute__((weak));

namespace {

pid_t raw_fork() { return static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }

// A child of `make` polls what it inherited, another array, and changes everything; the parent goes on.
template <typename Make>
void children(Make make, int count) {
  Watched watched;
  watched.expect({});
  watched.fire(3);
  for (int i = 0; i < count; ++i) {
    watched.expect({3});
    const pid_t child = make();
    if (child == 0) {
      watched.expect({3});
      Watched own;
      own.exercise();
      for (const pollfd& entry : watched.fds) ::close(entry.fd);
      for (unsigned k = 0; k < 10; ++k) CHECK(::dup2(own.fds[k].fd, watched.fds[k].fd) == watched.fds[k].fd);
      for (unsigned k = 10; k < watched.fds.size(); ++k) watched.fds[k].fd = -1;
      watched.expect({});
      own.fire(2);
      watched.expect({2});
      own.calm(2);
      ::_exit(0);
    }
    watched.expect({3});
    expect_success(child);
    watched.expect({3});
  }
  watched.calm(3);
  watched.exercise();
}

std::atomic<bool> stop{false};

void poll_on() {
  Watched watched(20);
  while (!stop) CHECK(watched.poll(1) == 0);
  watched.exercise();
}

}  // namespace

SCENARIO(plain) { children(::fork, 50); }
SCENARIO(raw_clone) { children(raw_fork, 50); }
SCENARIO(under_fork) { children([] { return _Fork != nullptr ? _Fork() : ::fork(); }, 50); }

SCENARIO(pseudo_terminal) {
  children(
      [] {
        int master;  // stays open: closing it hangs the child up
        return ::forkpty(&master, nullptr, nullptr, nullptr);
      },
      20);
}

SCENARIO(grandchildren) {
  children(
      [] {
        const pid_t child = ::fork();
        if (child != 0) return child;
        Watched between;
        between.exercise();
        const pid_t grandchild = raw_fork();
        if (grandchild == 0) return grandchild;
        between.exercise();
        expect_success(grandchild);
        ::_exit(0);
      },
      20);
}

// Other threads are anywhere in the core while the process forks.
SCENARIO(threads) {
  std::thread pollers[4];
  for (auto& poller : pollers) poller = std::thread(poll_on);
  Watched watched;
  for (int i = 0; i < 150; ++i) {
    watched.expect({}, 3);
    const pid_t child = i % 3 == 0 ? raw_fork() : ::fork();
    if (child == 0) {
      watched.expect({}, 3);
      Watched own(24);
      own.exercise();
      ::_exit(0);
    }
    expect_success(child);
  }
  stop = true;
  for (auto& poller : pollers) poller.join();
  watched.exercise();
}

// A forked child starts threads of its own, and they fork again.
SCENARIO(threads_of_children) {
  Watched watched;
  watched.exercise();
  for (int i = 0; i < 10; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      std::thread threads[3];
      for (auto& thread : threads)
        thread = std::thread([] {
          Watched own(20);
          own.exercise();
          const pid_t grandchild = ::fork();
          if (grandchild == 0) {
            own.exercise();
            ::_exit(0);
          }
          expect_success(grandchild);
        });
      for (auto& thread : threads) thread.join();
      ::_exit(0);
    }
    expect_success(child);
  }
}

namespace {

Watched* handled;
pid_t forked_children[200];
std::atomic<int> forked_count{0};
bool is_child = false;

void fork_in_handler(int) {
  if (is_child) return;
  const pid_t child = ::fork();
  if (child == 0) {
    is_child = true;
    handled->expect({});
  } else {
    forked_children[forked_count++] = child;
  }
}

}  // namespace

// A handler that interrupted a wait forks, and the child returns into the wait.
SCENARIO(in_handler) {
  Watched watched;
  handled = &watched;
  watched.expect({});
  struct sigaction action = {};
  action.sa_handler = fork_in_handler;
  ::sigaction(SIGALRM, &action, nullptr);
  const itimerval interval = {{0, 3000}, {0, 3000}};
  ::setitimer(ITIMER_REAL, &interval, nullptr);
  while (forked_count < 100) {
    const int result = watched.poll(50);
    CHECK(result == 0 || (result == -1 && errno == EINTR));
    if (is_child) {
      watched.expect({});
      Watched own;
      own.exercise();
      ::_exit(0);
    }
  }
  const itimerval never = {};
  ::setitimer(ITIMER_REAL, &never, nullptr);
  for (int i = 0; i < forked_count; ++i) expect_success(forked_children[i]);
  watched.exercise();
}

namespace {

void poll_in_child() { handled->expect({5}); }

}  // namespace

// The C library runs the program's fork handlers before anything else in the child.
SCENARIO(fork_handlers) {
  Watched watched;
  handled = &watched;
  CHECK(::pthread_atfork(poll_in_child, poll_in_child, poll_in_child) == 0);
  watched.fire(5);
  watched.expect({5});
  for (int i = 0; i < 20; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      watched.calm(5);
      watched.fire(5);
      watched.expect({5});
      ::_exit(0);
    }
    expect_success(child);
    watched.expect({5});
  }
}

namespace {

// A child's numbers are those that it would get anyway, however it was made.
template <typename Make>
void numbers_of_child(Make make, bool poll_first) {
  Watched watched;
  watched.exercise();
  const pid_t child = make();
  if (child != 0) {
    expect_success(child);
    return;
  }
  if (poll_first) watched.exercise();
  for (int i = 0; i < 400; ++i) {
    const int fd = ::eventfd(0, 0);
    CHECK(fd >= 0);
    say("%d\n", fd);
  }
  ::_exit(0);
}

}  // namespace

SCENARIO(numbers_after_fork) { numbers_of_child(::fork, true); }
SCENARIO(numbers_after_raw_clone) { numbers_of_child(raw_fork, false); }
SCENARIO(numbers_after_raw_clone_and_poll) { numbers_of_child(raw_fork, true); }

SCENARIO_MAIN
