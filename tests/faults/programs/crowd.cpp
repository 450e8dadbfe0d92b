// Sixty-four threads that wait for the same descriptors: each event is taken once, none is lost, all come home.
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <atomic>

#include "support/watchdog.hpp"

using namespace scenario;

namespace {

constexpr int kThreads = 64;
constexpr int kSources = 20;
constexpr long kEvents = 20'000;

int sources[kSources];  // each read takes one
int stop_fd = -1;
int set = -1;
std::atomic<long> taken{0};

bool take(int fd) {
  unsigned long value;
  if (::read(fd, &value, sizeof value) == sizeof value) {
    ++taken;
    ++progress;
    return true;
  }
  CHECK(errno == EAGAIN);
  return false;
}

void* wait_on_the_array(void*) {
  pollfd fds[kSources + 1];
  for (int i = 0; i < kSources; ++i) fds[i] = {sources[i], POLLIN, 0};
  fds[kSources] = {stop_fd, POLLIN, 0};
  for (;;) {
    CHECK(::poll(fds, kSources + 1, -1) > 0);
    bool any = false;
    for (int i = 0; i < kSources; ++i)
      if (fds[i].revents != 0) any = take(fds[i].fd) || any;
    if (fds[kSources].revents != 0 && !any) return nullptr;
  }
}

void* wait_on_the_set(void*) {
  for (;;) {
    epoll_event events[4];
    const int count = ::epoll_wait(set, events, 4, -1);
    CHECK(count > 0);
    bool any = false, stops = false;
    for (int i = 0; i < count; ++i) {
      if (events[i].data.fd == stop_fd)
        stops = true;
      else
        any = take(events[i].data.fd) || any;
    }
    if (stops && !any && taken == kEvents) return nullptr;
  }
}

void run(void* (*body)(void*)) {
  start_watchdog(20);
  set = ::epoll_create1(0);
  stop_fd = ::eventfd(0, EFD_NONBLOCK);
  for (int& fd : sources) fd = ::eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE);
  auto watch = [](int fd) {
    epoll_event event = {EPOLLIN, {}};
    event.data.fd = fd;
    CHECK(::epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
  };
  for (int fd : sources) watch(fd);
  watch(stop_fd);
  pthread_t threads[kThreads];
  for (pthread_t& thread : threads) CHECK(::pthread_create(&thread, nullptr, body, nullptr) == 0);
  for (long i = 0; i < kEvents; ++i) {
    const unsigned long one = 1;
    CHECK(::write(sources[i % kSources], &one, sizeof one) == sizeof one);
    if (i % 50 == 0) pause_us(200);  // some go to sleep again
  }
  while (taken < kEvents) pause_us(1000);
  const unsigned long one = 1;
  CHECK(::write(stop_fd, &one, sizeof one) == sizeof one);
  for (pthread_t thread : threads) CHECK(::pthread_join(thread, nullptr) == 0);
  say("%ld events, %d threads\n", taken.load(), kThreads);
}

}  // namespace

SCENARIO(on_an_array) { run(wait_on_the_array); }
SCENARIO(on_a_set) { run(wait_on_the_set); }

SCENARIO_MAIN
