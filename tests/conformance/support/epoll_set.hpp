// An epoll set that closes itself, and short names for what the epoll cases do with it.
#pragma once

#include <gtest/gtest.h>
#include <sys/epoll.h>

#include <vector>

#include "support/descriptor.hpp"
#include "support/stopwatch.hpp"

// Libc before 2.35 has no epoll_pwait2: the cases that need it are skipped there.
extern "C" __attribute__((weak)) int epoll_pwait2(int, epoll_event*, int, const timespec*, const sigset_t*);

namespace conformance {

class EpollSet {
 public:
  EpollSet() : fd_(::epoll_create1(EPOLL_CLOEXEC)) {}
  explicit EpollSet(int fd) : fd_(fd) {}

  int get() const { return fd_.get(); }
  void close() { fd_.close(); }
  int control(int operation, int fd, std::uint32_t events, std::uint64_t data = 0) const {
    epoll_event event{};
    event.events = events;
    event.data.u64 = data;
    return ::epoll_ctl(fd_.get(), operation, fd, &event);
  }
  int add(int fd, std::uint32_t events, std::uint64_t data = 0) const {
    return control(EPOLL_CTL_ADD, fd, events, data);
  }
  int modify(int fd, std::uint32_t events, std::uint64_t data = 0) const {
    return control(EPOLL_CTL_MOD, fd, events, data);
  }
  int remove(int fd) const { return ::epoll_ctl(fd_.get(), EPOLL_CTL_DEL, fd, nullptr); }

  // The events of one wait; empty after a failure, whose errno is left.
  std::vector<epoll_event> wait(int timeout_ms = 0, int most = 64) const {
    std::vector<epoll_event> events(static_cast<std::size_t>(most));
    const int count = ::epoll_wait(fd_.get(), events.data(), most, timeout_ms);
    events.resize(static_cast<std::size_t>(count < 0 ? 0 : count));
    return events;
  }
  // The number of events of one wait, or -errno.
  int count(int timeout_ms = 0) const {
    epoll_event events[64];
    const int result = ::epoll_wait(fd_.get(), events, 64, timeout_ms);
    return result < 0 ? -errno : result;
  }

 private:
  Descriptor fd_;
};

#define EXPECT_FAILS(error, call)   \
  do {                              \
    errno = 0;                      \
    EXPECT_EQ(-1, (call)) << #call; \
    EXPECT_EQ(error, errno) << #call; \
  } while (0)

}  // namespace conformance
