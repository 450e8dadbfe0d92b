// Ten thousand descriptors that come and go while they are polled: each answer is the kernel's.
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <random>
#include <vector>

#include "support/raw.hpp"
#include "support/watchdog.hpp"

using namespace scenario;

namespace {

constexpr size_t kDescriptors = 10'000;

void allow(unsigned long descriptors) {
  rlimit limit = {descriptors, descriptors};
  CHECK(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

class Churn {
 public:
  Churn() {
    for (size_t i = 0; i < kDescriptors; ++i) fds_.push_back({::eventfd(0, EFD_NONBLOCK), POLLIN, 0});
    CHECK(fds_.back().fd > 0);
  }

  // Closes, replaces, opens anew, makes ready, calms one.
  void change() {
    pollfd& entry = fds_[random_() % kDescriptors];
    const pollfd& other = fds_[random_() % kDescriptors];
    unsigned long value = 1;
    switch (random_() % 8) {
      case 0:
        ::close(entry.fd);
        closed_.push_back(entry.fd);
        break;
      case 1: ::dup2(other.fd, entry.fd); break;
      case 2:
        ::close(entry.fd);
        open_at(entry.fd);
        break;
      case 3: entry.events = entry.events == POLLIN ? POLLPRI : POLLIN; break;
      case 4: entry.fd = -1 - entry.fd; break;  // out of the array, or back
      case 5: (void)!::write(entry.fd, &value, sizeof value); break;
      default: (void)!::read(entry.fd, &value, sizeof value); break;
    }
  }

  void compare() {
    own_ = fds_;
    const long expected = raw_poll(own_.data(), kDescriptors);
    CHECK(::poll(fds_.data(), kDescriptors, 0) == expected);
    for (size_t i = 0; i < kDescriptors; ++i) CHECK(fds_[i].revents == own_[i].revents);
  }

  // What was closed is another file again, and what is ready is not.
  void settle() {
    for (int fd : closed_) open_at(fd);
    closed_.clear();
    unsigned long value;
    for (const pollfd& entry : fds_)
      if (entry.revents == POLLIN) (void)!::read(entry.fd, &value, sizeof value);
  }

 private:
  static void open_at(int number) {
    if (number < 0) return;
    const int fd = ::eventfd(0, EFD_NONBLOCK);
    if (fd != number) CHECK(::dup2(fd, number) == number && ::close(fd) == 0);
  }

  std::vector<pollfd> fds_, own_;
  std::vector<int> closed_;
  std::minstd_rand random_{7};
};

}  // namespace

SCENARIO(churn) {
  allow(20'000);
  start_watchdog(20);
  Churn churn;
  for (int round = 0; round < 700; ++round) {
    for (int i = 0; i < round % 40; ++i) churn.change();
    for (int i = 0; i < 2; ++i) churn.compare();
    churn.settle();
    churn.compare();
    ++progress;
  }
  say("done\n");
}

SCENARIO_MAIN
