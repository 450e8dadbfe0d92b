// The numbers that the program gets are those that it would get alone.
#include <sys/resource.h>
#include <sys/timerfd.h>

#include "support/makers.hpp"
#include "support/process.hpp"
#include "support/watched.hpp"

using namespace scenario;

namespace {

void allow(unsigned long descriptors) {
  rlimit limit;
  CHECK(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  if (limit.rlim_cur >= descriptors) return;
  limit.rlim_cur = descriptors;
  if (limit.rlim_max < descriptors) limit.rlim_max = descriptors;
  CHECK(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

template <size_t count>
void print_numbers(const Maker (&makers)[count], int wanted) {
  allow(static_cast<unsigned long>(wanted) + 200);
  Peers peers;
  Watched watched;
  Watched another(20);
  watched.exercise();
  another.exercise();
  for (int made = 0; made < wanted;) {
    const Maker& maker = makers[static_cast<unsigned>(made) % count];
    second_number = -1;
    const int fd = maker.make(peers);
    CHECK(fd >= 0);
    say("%s %d %d\n", maker.name, fd, second_number);
    made += second_number >= 0 ? 2 : 1;
    if (made % 5 == 0) CHECK(watched.poll(0) == 0);
    if (made % 11 == 0) CHECK(another.poll(0) == 0);
    // Holes are filled first, also those below the array.
    if (made % 97 == 0) {
      CHECK(::close(fd) == 0);
      CHECK(::close(0) == 0);
      CHECK(watched.poll(0) == 0);
      CHECK(::open("/dev/null", O_RDONLY) == 0);
      say("hole %d\n", ::dup(1));
    }
  }
  watched.exercise();
  another.exercise();
}

}  // namespace

SCENARIO(sequence) { print_numbers(kMakers, 4000); }
// From the very first mirror on, whatever the size of the table.
SCENARIO(first_numbers) {
  for (unsigned count = 20; count < 300; count += 3) {
    const pid_t child = ::fork();
    if (child == 0) {
      Watched watched(count);
      watched.exercise();
      int pipes[4][2];
      for (auto& pipe : pipes) {
        CHECK(::pipe(pipe) == 0);
        say("%d %d ", pipe[0], pipe[1]);
      }
      watched.exercise();
      say("%d\n", ::eventfd(0, 0));
      ::_exit(0);
    }
    expect_success(child);
  }
}

// All low numbers but a few are taken, and there is no room above the highest: what is free lies in a gap between.
SCENARIO(lowest_numbers_taken) {
  for (int gap = 60; gap < 240; gap += 6) {
    const pid_t child = ::fork();
    if (child == 0) {
      rlimit limit{256, 256};
      CHECK(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
      Watched watched(16);
      const int lowest = ::dup(1);
      for (int fd = lowest + 3; fd < 252; ++fd)
        if (fd < gap || fd > gap + 24) CHECK(::dup2(1, fd) == fd);
      watched.exercise();
      for (int fd = 0; fd >= 0; watched.expect({})) say("%d ", fd = ::dup(1));
      say("\n");
      watched.exercise();
      ::_exit(0);
    }
    expect_success(child);
  }
}

SCENARIO(unseen_sequence) { print_numbers(kUnseenMakers, 600); }

// Every number can be taken, also those that stand for something of the object's.
SCENARIO(takes_any_number) {
  Watched watched;
  watched.exercise();
  for (int way = 0; way < 4; ++way) {
    for (int fd = 60; fd < 1100; ++fd) {
      if (fd % 16 == 0) watched.expect({});
      int result = -1;
      switch (way) {
        case 0: result = ::dup2(1, fd); break;
        case 1: result = ::dup3(1, fd, O_CLOEXEC); break;
        case 2: result = ::fcntl(1, F_DUPFD, fd); break;
        default: result = static_cast<int>(::syscall(SYS_dup3, 1, fd, 0)); break;
      }
      CHECK(result == fd);
      CHECK(::fcntl(fd, F_GETFD) >= 0);
      if (way % 2 == 0) CHECK(::close(fd) == 0);
    }
    watched.exercise();
    if (way % 2 == 1)
      for (int fd = 60; fd < 1100; ++fd) CHECK(::close(fd) == 0);
  }
}

// What /proc shows beyond the program's own is closed for the program, and gone after exec.
SCENARIO(hidden) {
  const std::set<int> before = open_numbers();
  Watched watched;
  std::set<int> own = before;
  for (const pollfd& entry : watched.fds) own.insert(entry.fd);
  watched.exercise();
  for (int fd : open_numbers()) {
    if (own.count(fd) != 0) continue;
    char path[64], text[256] = {};
    ::snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    const int info = ::open(path, O_RDONLY);
    if (info < 0) ::dprintf(2, "%s\n", path);
    CHECK(info >= 0 && ::read(info, text, sizeof text - 1) > 0);
    ::close(info);
    unsigned flags = 0;
    CHECK(::sscanf(::strstr(text, "flags:"), "flags: %o", &flags) == 1);
    CHECK((flags & O_CLOEXEC) != 0);
    CHECK(fd > *own.rbegin() + 8 && fd < 1024);
    auto is_closed = [](long result) { return result == -1 && errno == EBADF; };
    CHECK(is_closed(::close(fd)));
    CHECK(is_closed(::fcntl(fd, F_GETFD)));
    CHECK(is_closed(::fcntl(fd, F_DUPFD, 0)));
    CHECK(is_closed(::dup3(fd, 900, 0)));
    CHECK(is_closed(::dup2(fd, 900)));
    CHECK(is_closed(::dup2(fd, fd)));
    CHECK(is_closed(::dup(fd)));
    CHECK(is_closed(::syscall(SYS_close, fd)));
    CHECK(is_closed(::syscall(SYS_fcntl, fd, F_GETFD)));
    CHECK(is_closed(::syscall(SYS_dup, fd)));
    CHECK(is_closed(::syscall(SYS_dup3, fd, 900, 0)));
#ifdef SYS_dup2
    CHECK(is_closed(::syscall(SYS_dup2, fd, 900)));
#endif
    watched.expect({});
  }
  watched.exercise();
  char name[] = "numbers", next[] = "list";
  char* words[] = {name, next, nullptr};
  for (const pollfd& entry : watched.fds) ::fcntl(entry.fd, F_SETFD, 0);
  ::execv("/proc/self/exe", words);
  CHECK(false);
}

SCENARIO(list) {
  for (int fd : open_numbers()) say("%d ", fd);
  say("\n");
}

// A file that is duplicated to a mirrored number takes its place at once.
SCENARIO(replaced_in_the_array) {
  Watched watched;
  watched.exercise();
  int pipe[2];
  CHECK(::pipe(pipe) == 0 && ::write(pipe[1], "x", 1) == 1);
  for (int round = 0; round < 20; ++round) {
    CHECK(::dup2(pipe[0], watched.fds[6].fd) == watched.fds[6].fd);
    watched.expect({6});
    CHECK(::close(watched.fds[6].fd) == 0);
    CHECK(::eventfd(0, EFD_NONBLOCK) == watched.fds[6].fd);
    watched.expect({});
  }
}

// Numbers that are not open stay so, wherever the descriptors of ours come to stand.
SCENARIO(not_open_in_the_array) {
  ::closefrom(20);  // what was inherited
  std::vector<pollfd> array;
  for (int fd = 20; fd < 600; ++fd) array.push_back({fd, POLLIN, 0});
  for (int round = 0; round < 100; ++round) {
    CHECK(::poll(array.data(), array.size(), 0) == static_cast<int>(array.size()));
    for (const pollfd& entry : array) CHECK(entry.revents == POLLNVAL);
  }
}

SCENARIO_MAIN
