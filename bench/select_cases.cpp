// select: the sets are written by every call, and set anew before it, on both sides alike.
#include <fcntl.h>
#include <memory>
#include <sys/select.h>
#include <unistd.h>

#include "case.hpp"
#include "fixture.hpp"

namespace kev::bench {

namespace {

// `count` eventfds with the highest numbers below `nfds`; the last one is ready.
struct Sets {
  Sets(unsigned count, int nfds_given) : nfds(nfds_given) {
    FD_ZERO(&wanted);
    for (unsigned i = 0; i < count; ++i) {
      bool is_ready = i == count - 1;
      int fd = take_number(make_eventfd(is_ready), nfds - static_cast<int>(count - i));
      FD_SET(fd, &wanted);
      if (is_ready) ready = fd;
    }
  }
  Sets(const Sets&) = delete;
  Sets& operator=(const Sets&) = delete;
  ~Sets() {
    for (int fd : taken) close(fd);
  }

  int take_number(const Fd& from, int number) {
    int fd = fcntl(from.get(), F_DUPFD_CLOEXEC, number);
    require(fd == number && fd < FD_SETSIZE, "select: the number is taken");
    taken.push_back(fd);
    return fd;
  }

  void call() {
    fd_set in = wanted;
    timeval zero = {0, 0};
    require(select(nfds, &in, nullptr, nullptr, &zero) == 1, "select: another number of ready descriptors");
    require(FD_ISSET(ready, &in), "select: another descriptor is ready");
  }

  int nfds;
  int ready = -1;
  fd_set wanted;
  std::vector<int> taken;
};

void add_select(Cases& cases, unsigned count, int nfds, Limit limit) {
  cases.add_call("select/" + std::to_string(count) + "/nfds" + std::to_string(nfds), limit, [=] {
    return [sets = std::make_unique<Sets>(count, nfds)] { sets->call(); };
  });
}

}  // namespace

void add_select_cases(Cases& cases) {
  add_select(cases, 8, 14, kParity);
  add_select(cases, 8, 24, kParity);
  add_select(cases, 8, 1000, kParity);
  add_select(cases, 16, 100, kNoLimit);
  add_select(cases, 32, 100, kNoLimit);
  add_select(cases, 64, 100, kNoLimit);
  add_select(cases, 100, 200, kNoLimit);
  add_select(cases, 900, 1000, times(25));
}

}  // namespace kev::bench
