// What is used up: address space, descriptors, locked memory.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "support/process.hpp"
#include "support/watched.hpp"

using namespace scenario;

namespace {

void limit_to(__rlimit_resource what, unsigned long value) {
  rlimit limit = {value, value};
  CHECK(::setrlimit(what, &limit) == 0);
}

unsigned long address_space() {
  char text[256] = {};
  const int fd = ::open("/proc/self/statm", O_RDONLY);
  CHECK(fd >= 0 && ::read(fd, text, sizeof text - 1) > 0);
  ::close(fd);
  return ::strtoul(text, nullptr, 10) * 4096;
}

template <typename Body>
void in_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    ::_exit(0);
  }
  expect_success(child);
}

}  // namespace

// Each page more lets one more of the object's mappings be made; before its table of descriptors is there, which is made
// with the first mirror, and afterwards.
SCENARIO(address_space) {
  Watched watched;
  for (unsigned long most : {8ul, 48ul}) {
    for (unsigned long pages = 0; pages < most; ++pages) {
      in_child([&] {
        limit_to(RLIMIT_AS, address_space() + pages * 4096);
        for (int i = 0; i < 3; ++i) watched.exercise();
      });
    }
    for (int i = 0; i < 3; ++i) watched.exercise();
  }
  say("done\n");
}

// As many descriptors as without the object, at whatever number the limit stands.
SCENARIO(descriptors) {
  for (unsigned long limit = 4; limit < 90; ++limit) {
    in_child([&] {
      limit_to(RLIMIT_NOFILE, limit);
      pollfd fds[80];
      nfds_t made = 0;
      for (; made < 80; ++made) {
        fds[made] = {::eventfd(0, EFD_NONBLOCK), POLLIN, 0};
        if (fds[made].fd < 0) break;
        CHECK(::poll(fds, made + 1, 0) == 0);
      }
      say("%lu: %lu, errno %d\n", limit, made, made < 80 ? errno : 0);
      for (int i = 0; i < 3; ++i) CHECK(::poll(fds, made, 0) == 0);
      const unsigned long one = 1;
      if (made > 0) CHECK(::write(fds[made - 1].fd, &one, sizeof one) == sizeof one);
      for (int i = 0; i < 3; ++i) CHECK(::poll(fds, made, 0) == (made > 0 ? 1 : 0));
      // One is free: the program gets it, and then the object may.
      if (made > 1) CHECK(::close(fds[0].fd) == 0 && ::eventfd(0, EFD_NONBLOCK) == fds[0].fd);
      for (int i = 0; i < 3; ++i) CHECK(::poll(fds, made, 0) == (made > 0 ? 1 : 0));
    });
  }
}

// Memory that is mapped from now on is locked, of which there may be little: then nothing can be mapped. With a limit
// of nothing there is no locking for who lacks the privilege.
SCENARIO(locked_memory) {
  Watched watched;
  for (unsigned long pages : {0, 1, 2, 4, 8, 16, 64}) {
    in_child([&] {
      limit_to(RLIMIT_MEMLOCK, pages * 4096);
      CHECK(::setresuid(65534, 65534, 65534) == 0);
      say("%d ", ::mlockall(MCL_FUTURE));
      for (int i = 0; i < 3; ++i) watched.exercise();
    });
  }
  watched.exercise();
}

SCENARIO_MAIN
