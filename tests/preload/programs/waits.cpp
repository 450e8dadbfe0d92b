// A program whose waits are watched by other interposers.
#include <sys/select.h>
#include <time.h>

#include "support/process.hpp"
#include "support/watched.hpp"

using namespace scenario;

SCENARIO(everything) {
  Watched watched;
  watched.exercise();
  for (int round = 0; round < 10; ++round) {
    fd_set in;
    FD_ZERO(&in);
    for (const pollfd& entry : watched.fds) FD_SET(entry.fd, &in);
    timeval time = {0, 100};
    CHECK(::select(watched.fds.back().fd + 1, &in, nullptr, nullptr, &time) == 0);
  }
  for (int i = 0; i < 10; ++i) {
    CHECK(::close(watched.fds[1].fd) == 0);
    CHECK(::eventfd(0, EFD_NONBLOCK) == watched.fds[1].fd);
    watched.expect({});
  }
}

// Under a clock that stands at another day, and may run at another speed.
SCENARIO(faked_time) {
  const time_t now = ::time(nullptr);
  tm date = {};
  ::gmtime_r(&now, &date);
  say("%d\n", date.tm_year + 1900);
  Watched watched;
  watched.exercise();
  for (int timeout : {1, 3, 20, 60}) {
    const long before = now_us();
    CHECK(watched.poll(timeout) == 0);
    const long took = now_us() - before;
    CHECK(took >= timeout * 1000 - 1 && took < timeout * 1000 + 200'000);
  }
  watched.exercise();
}

SCENARIO_MAIN
