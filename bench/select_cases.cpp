// select: the sets are written by every call, and set anew before it, on both sides alike.
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <sys/select.h>
#include <unistd.h>

#include "case.hpp"
#include "fixture.hpp"

namespace kev::bench {

namespace {

// `count` eventfds with the highest numbers below `nfds`; some are ready, the last one among them.
struct Sets {
  Sets(unsigned count, int nfds_given, unsigned ready_count)
      : nfds(nfds_given), expected(static_cast<int>(ready_count)) {
    FD_ZERO(&wanted);
    FD_ZERO(&ready);
    unsigned found = 0;
    for (unsigned i = 0; i < count; ++i) {
      bool is_ready = found < ready_count && i == ready_position(found, ready_count, count);
      int fd = take_number(make_eventfd(is_ready), nfds - static_cast<int>(count - i));
      FD_SET(fd, &wanted);
      if (!is_ready) continue;
      FD_SET(fd, &ready);
      ++found;
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

  void call_select() {
    fd_set in = wanted;
    timeval zero = {0, 0};
    check(select(nfds, &in, nullptr, nullptr, &zero), in);
  }
  void call_pselect() {
    fd_set in = wanted;
    timespec zero = {0, 0};
    check(pselect(nfds, &in, nullptr, nullptr, &zero, nullptr), in);
  }
  void check(int result, const fd_set& in) const {
    require(result == expected, "select: another number of ready descriptors");
    require(memcmp(&in, &ready, sizeof in) == 0, "select: other descriptors are ready");
  }

  int nfds;
  int expected;
  fd_set wanted, ready;
  std::vector<int> taken;
};

std::string title(const char* call, unsigned count, int nfds) {
  return std::string(call).append("/").append(std::to_string(count)).append("/nfds").append(std::to_string(nfds));
}

std::string title(const char* call, unsigned count, int nfds, unsigned ready) {
  return title(call, count, nfds).append("/").append(std::to_string(ready)).append("ready");
}

void add_select(Cases& cases, unsigned count, int nfds, Limit limit) {
  cases.add_call(title("select", count, nfds), limit, [=] {
    return [sets = std::make_unique<Sets>(count, nfds, 1)] { sets->call_select(); };
  });
}

void add_ready(Cases& cases, unsigned count, int nfds, unsigned ready, Limit limit) {
  cases.add_call(title("select", count, nfds, ready), limit, [=] {
    return [sets = std::make_unique<Sets>(count, nfds, ready)] { sets->call_select(); };
  });
  cases.add_call(title("pselect", count, nfds, ready), limit, [=] {
    return [sets = std::make_unique<Sets>(count, nfds, ready)] { sets->call_pselect(); };
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
  add_ready(cases, 900, 1000, 0, times(25));
  add_ready(cases, 900, 1000, 100, times(2));
  add_ready(cases, 900, 1000, 900, kParity);
}

}  // namespace kev::bench
