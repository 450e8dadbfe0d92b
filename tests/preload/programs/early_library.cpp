// A library whose constructors run before the preload object's and whose destructors run after it.
#include <fcntl.h>
#include <pthread.h>
#include <sys/select.h>
#include <sys/syscall.h>

#include "support/process.hpp"
#include "support/watched.hpp"

using namespace scenario;

namespace {

// Something of every family.
void call_everything() {
  Watched watched;
  watched.exercise();
  const int fd = ::open("/dev/null", O_RDONLY);
  CHECK(fd >= 0);
  CHECK(::dup2(fd, 200) == 200 && ::close(200) == 0);
  CHECK(::fcntl(fd, F_GETFD) == 0);
  CHECK(::syscall(SYS_close, fd) == 0);
  CHECK(::close_range(900, 1000, 0) == 0);
  timeval none = {};
  CHECK(::select(0, nullptr, nullptr, nullptr, &none) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    watched.exercise();
    ::_exit(0);
  }
  expect_success(child);
  const pid_t borrowed = ::vfork();
  if (borrowed == 0) {
    ::close(watched.fds[0].fd);
    ::_exit(0);
  }
  expect_success(borrowed);
  watched.exercise();
  watched.close_all();
}

void at_very_first(int, char**, char**) { call_everything(); }
void at_exit() { call_everything(); }

[[gnu::constructor]] void begin() {
  call_everything();
  ::atexit(at_exit);
}

[[gnu::destructor]] void end() {
  call_everything();
  say("library ended\n");
}

}  // namespace

__attribute__((section(".init_array"), used)) static void (*first_entry)(int, char**, char**) = at_very_first;

extern "C" int early_answer() { return 42; }
