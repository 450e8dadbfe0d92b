// An array of descriptors, polled again and again at the same address, so that the core takes it over.
#pragma once

#include <poll.h>
#include <sys/eventfd.h>

#include <initializer_list>
#include <set>
#include <vector>

#include "support/scenario.hpp"

namespace scenario {

inline constexpr unsigned kWatched = 48;

class Watched {
 public:
  static constexpr int kRounds = 6;

  explicit Watched(unsigned count = kWatched) {
    for (unsigned i = 0; i < count; ++i) {
      const int fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
      CHECK(fd >= 0);
      fds.push_back({fd, POLLIN, 0});
    }
  }

  void fire(unsigned i) const {
    const unsigned long one = 1;
    CHECK(::write(fds[i].fd, &one, sizeof one) == sizeof one);
  }
  void calm(unsigned i) const {
    unsigned long value;
    CHECK(::read(fds[i].fd, &value, sizeof value) == sizeof value);
  }

  int poll(int timeout_ms) { return ::poll(fds.data(), fds.size(), timeout_ms); }

  // The entries in `ready` are readable and no others, now and when asked again.
  void expect(std::initializer_list<unsigned> ready = {}, int rounds = kRounds) {
    const std::set<unsigned> expected(ready);
    for (int round = 0; round < rounds; ++round) {
      for (pollfd& entry : fds) entry.revents = 0x55;
      CHECK(poll(0) == static_cast<int>(expected.size()));
      for (unsigned i = 0; i < fds.size(); ++i) CHECK(fds[i].revents == (expected.count(i) != 0 ? POLLIN : 0));
    }
  }

  // Asleep until entry `i` fires or the time is over.
  void expect_wait(unsigned i, int timeout_ms) {
    CHECK(poll(timeout_ms) == 1);
    CHECK(fds[i].revents == POLLIN);
  }

  // Everything that a mirror does in its life.
  void exercise() {
    const unsigned one = 2, other = static_cast<unsigned>(fds.size()) - 3;
    expect({});
    fire(one);
    expect({one});
    fire(other);
    expect({one, other});
    calm(one);
    expect({other});
    calm(other);
    expect({});
    CHECK(poll(2) == 0);
  }

  void close_all() {
    for (const pollfd& entry : fds) CHECK(::close(entry.fd) == 0);
    fds.clear();
  }

  std::vector<pollfd> fds;
};

}  // namespace scenario
