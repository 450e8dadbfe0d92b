// Waits in a storm of signals, and signals that come one at a time to a wait that is known to sleep.
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>

#include <atomic>

#include "support/raw.hpp"
#include "support/watchdog.hpp"

using namespace scenario;

namespace {

constexpr int kWatched = 20;
constexpr long kSignals = 100'000;
constexpr long kSingle = 1500;

std::atomic<long> handled{0};
std::atomic<bool> over{false};
std::atomic<int> waits{0};  // the number of the wait that is about to sleep
pid_t waiter = 0;
pollfd fds[kWatched];
int set = -1;

void count(int, siginfo_t*, void*) { ++handled; }

// Queued, so that each counts.
void send_one() {
  siginfo_t info = {};
  info.si_code = SI_QUEUE;
  info.si_pid = ::getpid();
  while (::syscall(SYS_rt_tgsigqueueinfo, ::getpid(), waiter, SIGRTMIN, &info) != 0) CHECK(errno == EAGAIN);
}

void put(int i) {
  const unsigned long one = 1;
  CHECK(::write(fds[i].fd, &one, sizeof one) == sizeof one);
}

// The wait number `n`, of one kind after the other, for as long as it takes. What is ready is taken; returns how much.
long wait(long n) {
  fd_set in;
  epoll_event events[kWatched];
  const long before = handled;
  const timespec long_time = {100, 0};
  int result = 0;
  switch (n % 5) {
    case 0: result = ::poll(fds, kWatched, -1); break;
    case 1: result = ::ppoll(fds, kWatched, &long_time, nullptr); break;
    case 2:
    case 3:
      FD_ZERO(&in);
      for (const pollfd& entry : fds) FD_SET(entry.fd, &in);
      result = n % 5 == 2 ? ::select(fds[kWatched - 1].fd + 1, &in, nullptr, nullptr, nullptr)
                          : ::pselect(fds[kWatched - 1].fd + 1, &in, nullptr, nullptr, &long_time, nullptr);
      break;
    default: result = ::epoll_wait(set, events, kWatched, -1); break;
  }
  CHECK(result > 0 || (result == -1 && errno == EINTR));
  // A wait is only interrupted by a handler.
  if (result < 0) CHECK(handled > before);
  if (result < 0) return -1;
  long taken = 0;
  for (const pollfd& entry : fds) {
    unsigned long value = 0;
    if (::read(entry.fd, &value, sizeof value) == sizeof value) taken += static_cast<long>(value);
  }
  CHECK(taken > 0);
  return taken;
}

void prepare() {
  set = ::epoll_create1(0);
  for (pollfd& entry : fds) {
    entry = {::eventfd(0, EFD_NONBLOCK), POLLIN, 0};
    epoll_event event = {EPOLLIN, {}};
    CHECK(::epoll_ctl(set, EPOLL_CTL_ADD, entry.fd, &event) == 0);
  }
  struct sigaction action = {};
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  action.sa_sigaction = count;
  CHECK(::sigaction(SIGRTMIN, &action, nullptr) == 0);
  waiter = ::gettid();
  start_watchdog(20);
}

void* storm(void*) {
  for (long i = 0; i < kSignals; ++i) {
    send_one();
    if (i % 100 == 99) put(static_cast<int>(i / 100 % kWatched));
    if (i % 16 == 0) ::sched_yield();
  }
  over = true;
  put(0);
  return nullptr;
}

bool sleeps(pid_t thread) {
  char path[64], text[512] = {};
  ::snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
  const int fd = ::open(path, O_RDONLY);
  CHECK(fd >= 0 && ::read(fd, text, sizeof text - 1) > 0);
  ::close(fd);
  const char* end = ::strrchr(text, ')');
  return end != nullptr && end[2] == 'S';
}

void* one_at_a_time(void*) {
  for (int i = 1; i <= kSingle; ++i) {
    while (waits != i) raw_pause(20);
    // Asleep in the core at first, after the verification period in the program's own call.
    while (!sleeps(waiter)) raw_pause(20);
    if (i % 3 == 0) raw_pause(i % 2 == 0 ? 5200 : 300);
    send_one();
  }
  return nullptr;
}

}  // namespace

SCENARIO(storm) {
  prepare();
  pthread_t thread;
  CHECK(::pthread_create(&thread, nullptr, storm, nullptr) == 0);
  long taken = 0;
  for (long n = 0; !over; ++n) {
    const long some = wait(n);
    if (some > 0) taken += some;
    ++progress;
  }
  CHECK(::pthread_join(thread, nullptr) == 0);
  for (const pollfd& entry : fds) {
    unsigned long value = 0;
    if (::read(entry.fd, &value, sizeof value) == sizeof value) taken += static_cast<long>(value);
  }
  say("%ld signals, %ld events\n", handled.load(), taken);
}

// Each ends the wait that it finds asleep, whichever of its sleeps that is in.
SCENARIO(one_at_a_time) {
  prepare();
  pthread_t thread;
  CHECK(::pthread_create(&thread, nullptr, one_at_a_time, nullptr) == 0);
  int interrupted = 0;
  for (int i = 1; i <= kSingle; ++i) {
    waits = i;
    interrupted += wait(i) < 0;
    CHECK(handled == i);
    ++progress;
  }
  CHECK(::pthread_join(thread, nullptr) == 0);
  say("%d waits interrupted by %ld signals\n", interrupted, handled.load());
}

SCENARIO_MAIN
