// epoll waits and epoll_ctl on sets of the program's own.
#include <csignal>
#include <memory>
#include <sys/epoll.h>

#include "case.hpp"
#include "fixture.hpp"

namespace kev::bench {

namespace {

struct Set {
  Set(unsigned count, unsigned ready) : set(epoll_create1(EPOLL_CLOEXEC)), fds(count, ready), expected(ready) {
    for (const Fd& fd : fds.fds) control(EPOLL_CTL_ADD, fd.get(), EPOLLIN);
  }

  void control(int operation, int fd, uint32_t bits) {
    epoll_event event = {bits, {.fd = fd}};
    require(epoll_ctl(set.get(), operation, fd, &event) == 0, "epoll_ctl failed");
  }
  void check(int result) const {
    require(result == expected, "epoll_wait: another number of events");
    if (expected > 0) require(events[0].events == EPOLLIN, "epoll_wait: another event");
  }

  Fd set;
  EventFds fds;
  int expected;
  epoll_event events[64];
};

void add_wait(Cases& cases, unsigned ready, Limit limit) {
  cases.add_call("epoll_wait/" + std::to_string(ready) + "ready", limit, [=] {
    return [set = std::make_unique<Set>(100, ready)] { set->check(epoll_wait(set->set.get(), set->events, 64, 0)); };
  });
}

}  // namespace

void add_epoll_cases(Cases& cases) {
  add_wait(cases, 0, kThreePercent);
  add_wait(cases, 1, kThreePercent);
  add_wait(cases, 64, kThreePercent);
  cases.add_call("epoll_wait/1ready/for-ever", kThreePercent, [] {
    return [set = std::make_unique<Set>(100, 1)] { set->check(epoll_wait(set->set.get(), set->events, 64, -1)); };
  });
  cases.add_call("epoll_pwait/1ready", kThreePercent, [] {
    return [set = std::make_unique<Set>(100, 1)] {
      sigset_t mask;
      sigemptyset(&mask);
      set->check(epoll_pwait(set->set.get(), set->events, 64, 0, &mask));
    };
  });
  cases.add_call("epoll_ctl/mod", kThreePercent, [] {
    return [set = std::make_unique<Set>(100, 0)] { set->control(EPOLL_CTL_MOD, set->fds.fds[50].get(), EPOLLIN); };
  });
}

}  // namespace kev::bench
