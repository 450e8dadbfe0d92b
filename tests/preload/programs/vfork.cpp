// Children that borrow the parent's memory: what they do to descriptors is theirs alone.
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <thread>

#include "support/process.hpp"
#include "support/watched.hpp"

using namespace scenario;

extern char** environ;

namespace {

enum class Closing { each, range, from };

// The child of vfork closes everything, takes numbers over, and executes.
[[gnu::noinline]] pid_t start_true(const Watched& watched, Closing closing) {
  const pid_t child = ::vfork();
  if (child != 0) return child;
  ::dup2(watched.fds[4].fd, 0);
  ::dup2(watched.fds[0].fd, watched.fds[1].fd);
  switch (closing) {
    case Closing::each:
      for (int fd = 3; fd < 1024; ++fd) ::close(fd);
      break;
    case Closing::range: ::close_range(3, ~0u, 0); break;
    case Closing::from: ::closefrom(3); break;
  }
  ::execl("/bin/true", "true", nullptr);
  ::_exit(9);
}

void closes_and_executes(Closing closing) {
  Watched watched;
  watched.fire(9);
  watched.expect({9});
  const size_t open_before = open_numbers().size();
  for (int i = 0; i < 60; ++i) {
    expect_success(start_true(watched, closing));
    watched.expect({9});
  }
  CHECK(open_numbers().size() <= open_before);
  watched.calm(9);
  watched.exercise();
}

}  // namespace

SCENARIO(close_each) { closes_and_executes(Closing::each); }
SCENARIO(close_range) { closes_and_executes(Closing::range); }
SCENARIO(close_from) { closes_and_executes(Closing::from); }

namespace {

[[gnu::noinline]] pid_t close_and_poll(Watched& watched) {
  const pid_t child = ::vfork();
  if (child != 0) return child;
  ::close(watched.fds[2].fd);
  for (int k = 0; k < 4; ++k)
    if (watched.poll(0) != 1) ::_exit(3);
  ::_exit(watched.fds[2].revents == POLLNVAL ? 0 : 4);
}

[[gnu::noinline]] pid_t start_exit(int status) {
  const pid_t child = ::vfork();
  if (child == 0) ::_exit(status);
  return child;
}

}  // namespace

SCENARIO(polls_in_child) {
  Watched watched;
  watched.fire(2);
  watched.expect({2});
  for (int i = 0; i < 30; ++i) {
    expect_success(close_and_poll(watched));
    watched.expect({2});
  }
}

namespace {

// The child of vfork has the lowest free number each time, up to the limit, one after the other.
[[gnu::noinline]] pid_t take_all_numbers(int from, int limit) {
  const pid_t child = ::vfork();
  if (child != 0) return child;
  for (int fd = from; fd < limit; ++fd)
    if (::close(fd) != -1 || errno != EBADF) ::_exit(3);
  for (int fd = from; fd < limit; ++fd) {
    const int made = fd % 2 == 0 ? ::dup(0) : ::fcntl(0, F_DUPFD, fd);
    if (made != fd) ::_exit(4);
  }
  ::_exit(::dup(0) == -1 && errno == EMFILE ? 0 : 5);
}

[[gnu::noinline]] pid_t take_upper_numbers(int from, int limit) {
  const pid_t child = ::vfork();
  if (child != 0) return child;
  for (int fd = limit - 1; fd > from; --fd)
    if (::fcntl(0, F_DUPFD_CLOEXEC, fd) != fd) ::_exit(4);
  ::_exit(0);
}

[[gnu::noinline]] pid_t take_pairs(int from, int limit) {
  const pid_t child = ::vfork();
  if (child != 0) return child;
  int ends[2];
  for (int fd = from; fd + 1 < limit; fd += 2)
    if (::pipe(ends) != 0 || ends[0] != fd || ends[1] != fd + 1) ::_exit(4);
  ::_exit(0);
}

}  // namespace

SCENARIO(numbers_in_child) {
  constexpr int kLimit = 512;
  const rlimit limit = {kLimit, kLimit};
  CHECK(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  Watched watched;
  watched.fire(3);
  for (int i = 0; i < 10; ++i) {
    watched.expect({3}, 4);
    const int first = ::dup(0);
    ::close(first);
    expect_success(i % 3 == 0 ? take_all_numbers(first, kLimit)
                              : i % 3 == 1 ? take_upper_numbers(first, kLimit) : take_pairs(first, kLimit));
  }
  watched.calm(3);
  watched.exercise();
}

// A signal that came while the parent was stopped: its handler runs before vfork() has returned, in the parent's own table.
SCENARIO(handler_as_it_returns) {
  static volatile int handled;
  Watched watched;
  watched.fire(3);
  struct sigaction action = {};
  action.sa_handler = [](int) {
    const int high = ::fcntl(0, F_DUPFD_CLOEXEC, 1000);
    if (high >= 1000) handled = handled + 1;
    ::close(high);
  };
  CHECK(::sigaction(SIGUSR1, &action, nullptr) == 0);
  for (int i = 0; i < 20; ++i) {
    watched.expect({3}, 4);
    const auto before = open_numbers();
    const pid_t child = ::vfork();
    if (child == 0) {
      ::kill(::getppid(), SIGUSR1);
      ::_exit(0);
    }
    expect_success(child);
    CHECK(open_numbers() == before);
  }
  CHECK(handled == 20);
  watched.calm(3);
  watched.exercise();
}

SCENARIO(returns_the_childs_id) {
  for (int i = 0; i < 50; ++i) {
    const pid_t child = start_exit(i % 7);
    int status;
    CHECK(child > 0 && child != ::getpid());
    CHECK(::waitpid(-1, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == i % 7);
  }
}

SCENARIO(fails) {
  Watched watched;
  watched.exercise();
  CHECK(::setresuid(65534, 65534, 65534) == 0);
  const rlimit none = {0, 0};
  CHECK(::setrlimit(RLIMIT_NPROC, &none) == 0);
  for (int i = 0; i < 3; ++i) {
    errno = 0;
    const pid_t child = ::vfork();
    if (child == 0) ::_exit(0);
    CHECK(child == -1 && errno == EAGAIN);
    watched.exercise();
  }
}

SCENARIO(threads) {
  std::thread threads[8];
  for (auto& thread : threads)
    thread = std::thread([] {
      Watched own(20);
      for (int i = 0; i < 25; ++i) {
        expect_success(start_true(own, i % 2 == 0 ? Closing::range : Closing::from));
        own.expect({}, 4);
      }
    });
  for (auto& thread : threads) thread.join();
}

namespace {

int close_all_and_leave(void*) {
  ::close_range(3, ~0u, 0);
  return 0;
}

}  // namespace

// What vfork does, by clone(): not to be told from a thread but by its process.
SCENARIO(clone_that_borrows_memory) {
  Watched watched;
  watched.fire(9);
  watched.expect({9});
  const size_t open_before = open_numbers().size();
  constexpr size_t kStack = 256 * 1024;
  char* stack = static_cast<char*>(::mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  for (int i = 0; i < 30; ++i) {
    expect_success(::clone(close_all_and_leave, stack + kStack, CLONE_VM | CLONE_VFORK | SIGCHLD, nullptr));
    watched.expect({9});
  }
  CHECK(open_numbers().size() <= open_before);
  watched.calm(9);
  watched.exercise();
}

SCENARIO(fork_in_child) {
  Watched watched;
  watched.expect({});
  const pid_t child = ::vfork();
  if (child == 0) {
    const pid_t grandchild = ::fork();
    if (grandchild == 0) {
      watched.exercise();
      ::_exit(0);
    }
    int status = -1;
    while (::waitpid(grandchild, &status, 0) < 0) {
    }
    ::_exit(status != 0);
  }
  expect_success(child);
  watched.exercise();
}

SCENARIO(spawn) {
  Watched watched;
  watched.fire(1);
  watched.expect({1});
  for (int i = 0; i < 20; ++i) {
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addclose(&actions, watched.fds[0].fd);
    ::posix_spawn_file_actions_adddup2(&actions, watched.fds[2].fd, watched.fds[3].fd);
    ::posix_spawn_file_actions_addopen(&actions, watched.fds[4].fd, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addclosefrom_np(&actions, 100);
    char name[] = "true";
    char* words[] = {name, nullptr};
    pid_t child = 0;
    CHECK(::posix_spawn(&child, "/bin/true", &actions, nullptr, words, environ) == 0);
    expect_success(child);
    CHECK(::posix_spawnp(&child, "true", &actions, nullptr, words, environ) == 0);
    expect_success(child);
    ::posix_spawn_file_actions_destroy(&actions);
    watched.expect({1});
  }
}

SCENARIO(shell) {
  Watched watched;
  watched.fire(1);
  watched.expect({1});
  for (int i = 0; i < 10; ++i) {
    const int status = ::system("exit 5");
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
    watched.expect({1});
    FILE* stream = ::popen("echo from a pipe; exit 3", "r");
    CHECK(stream != nullptr);
    char text[64] = {};
    CHECK(::fgets(text, sizeof text, stream) != nullptr);
    say("%s", text);
    CHECK(WEXITSTATUS(::pclose(stream)) == 3);
    watched.expect({1});
  }
}

SCENARIO_MAIN
