// Arrays and sets of which nearly all is ready, and that become quiet.
#include <sys/select.h>

#include "support/process.hpp"
#include "support/watched.hpp"

using namespace scenario;

namespace {

constexpr unsigned kCount = 100;

struct Sets {
  explicit Sets(const Watched& watched) {
    FD_ZERO(&wanted);
    for (const pollfd& entry : watched.fds) FD_SET(entry.fd, &wanted);
    highest = watched.fds.back().fd;
  }
  int select(bool out_too) {
    in = out = wanted;
    timeval no_time = {0, 0};
    return ::select(highest + 1, &in, out_too ? &out : nullptr, nullptr, &no_time);
  }
  int highest;
  fd_set wanted, in, out;
};

int epoll_sets() {
  int found = 0;
  for (const int fd : open_numbers()) {
    char path[64], name[64] = {};
    ::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (::readlink(path, name, sizeof name - 1) > 0) found += ::strstr(name, "[eventpoll]") != nullptr;
  }
  return found;
}

void calls(Watched& watched, Sets& sets, Sets& both, unsigned ready, int times) {
  for (int i = 0; i < times; ++i) {
    CHECK(watched.poll(0) == static_cast<int>(ready));
    CHECK(sets.select(false) == static_cast<int>(ready));
    CHECK(both.select(true) == static_cast<int>(ready + kCount));  // each can be written
  }
}

}  // namespace

SCENARIO(all_ready) {
  Watched watched(kCount);
  Sets sets(watched), both(watched);
  for (unsigned i = 0; i < kCount - 5; ++i) watched.fire(i);
  calls(watched, sets, both, kCount - 5, 500);
  say("%d epoll sets\n", epoll_sets());
}

SCENARIO(then_quiet) {
  Watched watched(kCount);
  Sets sets(watched), both(watched);
  for (unsigned i = 0; i < kCount; ++i) watched.fire(i);
  calls(watched, sets, both, kCount, 50);
  for (unsigned i = 1; i < kCount; ++i) watched.calm(i);
  calls(watched, sets, both, 1, 600);
}

SCENARIO_MAIN
