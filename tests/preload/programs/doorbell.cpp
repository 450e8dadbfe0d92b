// epoll sets that a program asks again and again without waiting: what it is told from memory must be what the kernel
// would have said.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <vector>

#include "support/process.hpp"
#include "support/scenario.hpp"

using namespace scenario;

namespace {

constexpr int kMany = 300;  // more than it takes until a set has a bell

struct Asked {
  explicit Asked(int ready = EPOLLIN) : set(epoll_create1(EPOLL_CLOEXEC)), event(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    control(EPOLL_CTL_ADD, static_cast<uint32_t>(ready));
  }
  void control(int operation, uint32_t bits) {
    epoll_event change = {bits, {.fd = event}};
    CHECK(epoll_ctl(set, operation, event, &change) == 0);
  }
  int ask() { return epoll_wait(set, events, 4, 0); }
  // Asks until a bell must be there, if one may.
  void grow_silent() {
    for (int i = 0; i < kMany; ++i) CHECK(ask() == 0);
  }
  void write() { CHECK(eventfd_write(event, 1) == 0); }
  void drain() {
    eventfd_t value;
    CHECK(eventfd_read(event, &value) == 0);
  }

  int set, event;
  epoll_event events[4];
};

}  // namespace

SCENARIO(silent) {
  Asked asked;
  for (int i = 0; i < 10000; ++i) CHECK(asked.ask() == 0);
}

SCENARIO(rings) {
  Asked asked;
  for (int round = 0; round < 100; ++round) {
    asked.grow_silent();
    asked.write();
    CHECK(asked.ask() == 1 && asked.events[0].events == EPOLLIN);
    CHECK(asked.ask() == 1);  // level-triggered
    asked.drain();
  }
}

SCENARIO(rings_at_an_edge) {
  Asked asked(EPOLLIN | EPOLLET);
  for (int round = 0; round < 100; ++round) {
    asked.grow_silent();
    asked.write();
    CHECK(asked.ask() == 1);
    CHECK(asked.ask() == 0);  // undrained
    asked.write();
    CHECK(asked.ask() == 1);
    asked.drain();
  }
}

SCENARIO(rings_once) {
  Asked asked(EPOLLIN | EPOLLONESHOT);
  for (int round = 0; round < 100; ++round) {
    asked.write();
    CHECK(asked.ask() == 1);
    asked.grow_silent();
    asked.control(EPOLL_CTL_MOD, EPOLLIN | EPOLLONESHOT);
    CHECK(asked.ask() == 1);
    asked.drain();
    asked.control(EPOLL_CTL_MOD, EPOLLIN | EPOLLONESHOT);
  }
}

SCENARIO(judges_its_arguments) {
  Asked asked;
  asked.grow_silent();
  volatile int negative = -1;
  CHECK(epoll_wait(asked.set, asked.events, 0, 0) == -1 && errno == EINVAL);
  CHECK(epoll_wait(asked.set, asked.events, negative, 0) == -1 && errno == EINVAL);
  CHECK(epoll_wait(asked.event, asked.events, 4, 0) == -1 && errno == EINVAL);
  epoll_event* nowhere = reinterpret_cast<epoll_event*>(~0ul << 20);
  say("%d %d\n", epoll_wait(asked.set, nowhere, 4, 0), errno);
  errno = 77;
  CHECK(asked.ask() == 0 && errno == 77);
}

SCENARIO(is_closed) {
  for (int way = 0; way < 5; ++way) {
    Asked asked;
    asked.grow_silent();
    switch (way) {
      case 0: CHECK(close(asked.set) == 0); break;
      case 1: CHECK(close_range(static_cast<unsigned>(asked.set), static_cast<unsigned>(asked.set), 0) == 0); break;
      case 2: CHECK(syscall(SYS_close, asked.set) == 0); break;
      case 3: CHECK(dup2(asked.event, asked.set) == asked.set); break;
      case 4: CHECK(dup3(asked.event, asked.set, O_CLOEXEC) == asked.set); break;
    }
    CHECK(asked.ask() == -1 && errno == (way < 3 ? EBADF : EINVAL));
    CHECK(asked.ask() == -1);
  }
}

// Its number is another set.
SCENARIO(is_replaced) {
  Asked asked, other;
  other.write();
  asked.grow_silent();
  CHECK(dup2(other.set, asked.set) == asked.set);
  CHECK(asked.ask() == 1);
}

// Another thread does so.
SCENARIO(is_replaced_elsewhere) {
  for (int round = 0; round < 20; ++round) {
    Asked asked, other;
    other.write();
    asked.grow_silent();
    int numbers[] = {other.set, asked.set};
    pthread_t thread;
    auto replace = [](void* both) -> void* {
      CHECK(dup2(static_cast<int*>(both)[0], static_cast<int*>(both)[1]) >= 0);
      return nullptr;
    };
    CHECK(pthread_create(&thread, nullptr, replace, numbers) == 0);
    CHECK(pthread_join(thread, nullptr) == 0);
    CHECK(asked.ask() == 1);
    for (int fd : {asked.set, asked.event, other.set, other.event}) CHECK(close(fd) == 0);
  }
}

// The set that stands in another one goes from there as it is closed.
SCENARIO(stands_in_another) {
  for (bool before : {false, true}) {
    Asked inner, outer;
    epoll_event event = {EPOLLIN, {.fd = inner.set}};
    if (before) CHECK(epoll_ctl(outer.set, EPOLL_CTL_ADD, inner.set, &event) == 0);
    inner.grow_silent();
    outer.grow_silent();
    if (!before) CHECK(epoll_ctl(outer.set, EPOLL_CTL_ADD, inner.set, &event) == 0);
    inner.write();
    CHECK(outer.ask() == 1 && inner.ask() == 1);
    CHECK(close(inner.set) == 0);
    CHECK(outer.ask() == 0);
  }
}

// By another number of it, which is not seen; closed by its owner.
SCENARIO(stands_in_another_unseen) {
  Asked inner, outer;
  int copy = dup(inner.set);
  inner.grow_silent();
  epoll_event event = {EPOLLIN, {.fd = copy}};
  CHECK(epoll_ctl(outer.set, EPOLL_CTL_ADD, copy, &event) == 0);
  inner.grow_silent();
  inner.write();
  CHECK(outer.ask() == 1);
  CHECK(close(copy) == 0 && outer.ask() == 1);
  CHECK(close(inner.set) == 0 && outer.ask() == 0);
}

// What it watches is not held: the peer sees the end as close() returns.
SCENARIO(holds_no_file) {
  for (int way = 0; way < 3; ++way) {
    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    Asked asked;
    epoll_event event = {EPOLLIN, {.fd = pair[0]}};
    CHECK(epoll_ctl(asked.set, EPOLL_CTL_ADD, pair[0], &event) == 0);
    asked.grow_silent();
    char byte;
    if (way == 0) {
      CHECK(close(pair[0]) == 0);
    } else {
      pid_t child = fork();
      if (child == 0) {
        close(pair[1]);
        for (int i = 0; i < kMany; ++i) CHECK(asked.ask() == 0);
        if (way == 1) _exit(0);
        kill(getpid(), SIGKILL);
      }
      CHECK(close(pair[0]) == 0);
      int status;
      CHECK(waitpid(child, &status, 0) == child);
    }
    CHECK(read(pair[1], &byte, 1) == 0);
  }
}

SCENARIO(is_forked) {
  Asked asked;
  asked.grow_silent();
  for (int round = 0; round < 10; ++round) {
    pid_t child = fork();
    if (child == 0) {
      CHECK(asked.ask() == 0);
      asked.grow_silent();
      asked.write();
      CHECK(asked.ask() == 1);
      _exit(0);
    }
    expect_success(child);
    CHECK(asked.ask() == 1);
    asked.drain();
    asked.grow_silent();
  }
}

SCENARIO(is_vforked) {
  Asked asked;
  asked.grow_silent();
  pid_t child = vfork();
  if (child == 0) {
    for (int i = 0; i < 10; ++i)
      if (asked.ask() != 0) _exit(1);
    close(asked.set);
    _exit(asked.ask() == -1 ? 0 : 2);
  }
  expect_success(child);
  CHECK(asked.ask() == 0);
  asked.write();
  CHECK(asked.ask() == 1);
}

// Two threads ask the same set; each event is seen by both as long as it stands.
SCENARIO(is_asked_by_two) {
  Asked asked;
  static int set;
  set = asked.set;
  auto ask = [](void* told) -> void* {
    epoll_event event;
    while (__atomic_load_n(static_cast<int*>(told), __ATOMIC_ACQUIRE) == 0) {
      const int found = epoll_wait(set, &event, 1, 0);
      CHECK(found >= 0);
      if (found > 0) __atomic_store_n(static_cast<int*>(told), 1, __ATOMIC_RELEASE);
    }
    return nullptr;
  };
  for (int round = 0; round < 20; ++round) {
    int told[2] = {0, 0};
    pthread_t threads[2];
    for (int i = 0; i < 2; ++i) CHECK(pthread_create(&threads[i], nullptr, ask, &told[i]) == 0);
    usleep(2000);
    asked.write();
    for (pthread_t thread : threads) CHECK(pthread_join(thread, nullptr) == 0);
    asked.drain();
  }
}

// A request acts although nothing is ready and the kernel need not be asked.
SCENARIO(is_cancelled) {
  static int asks;
  for (int round = 0; round < 20; ++round) {
    Asked asked;
    pthread_t thread;
    __atomic_store_n(&asks, 0, __ATOMIC_RELEASE);
    auto ask = [](void* set) -> void* {
      epoll_event event;
      for (;; __atomic_fetch_add(&asks, 1, __ATOMIC_RELEASE)) CHECK(epoll_wait(*static_cast<int*>(set), &event, 1, 0) == 0);
    };
    CHECK(pthread_create(&thread, nullptr, ask, &asked.set) == 0);
    while (__atomic_load_n(&asks, __ATOMIC_ACQUIRE) < kMany) usleep(100);
    CHECK(pthread_cancel(thread) == 0);
    void* result;
    CHECK(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
    for (int fd : {asked.set, asked.event}) CHECK(close(fd) == 0);
  }
}

// A handler asks, too.
SCENARIO(is_asked_by_a_handler) {
  static Asked asked;
  asked.grow_silent();
  CHECK(signal(SIGUSR1, [](int) { CHECK(asked.ask() >= 0); }) != SIG_ERR);
  for (int i = 0; i < 1000; ++i) {
    if (i % 10 == 0) asked.write();
    raise(SIGUSR1);
    CHECK(asked.ask() == (i % 10 == 0));
    if (i % 10 == 0) asked.drain();
  }
}

// Arrays that the core watches get one for its own set.
SCENARIO(array) {
  std::vector<pollfd> array;
  for (int i = 0; i < 100; ++i) array.push_back({eventfd(0, EFD_NONBLOCK), POLLIN, 0});
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 500; ++i) CHECK(poll(array.data(), array.size(), 0) == 0);
    pollfd& entry = array[static_cast<size_t>(round * 4)];
    CHECK(eventfd_write(entry.fd, 1) == 0);
    CHECK(poll(array.data(), array.size(), 0) == 1 && entry.revents == POLLIN);
    CHECK(poll(array.data(), array.size(), 0) == 1 && entry.revents == POLLIN);
    eventfd_t value;
    CHECK(eventfd_read(entry.fd, &value) == 0);
  }
}

// A file that was closed, and lives on elsewhere, reports to the private set, which begins anew: the bell is not to be
// that of the set before, which does not know the file that came in its place.
SCENARIO(array_begins_anew) {
  std::vector<pollfd> array;
  for (int i = 0; i < 40; ++i) array.push_back({eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), POLLIN, 0});
  auto ask = [&] { return poll(array.data(), array.size(), 0); };
  auto ask_until_silent = [&] {
    for (int i = 0; i < 500; ++i) CHECK(ask() == 0);
  };
  for (size_t round = 0; round < 10; ++round) {
    ask_until_silent();
    const int copy = dup(array[round].fd), other = eventfd(0, EFD_NONBLOCK);
    CHECK(dup2(other, array[round].fd) == array[round].fd && close(other) == 0);
    ask_until_silent();
    unsigned long value = 1;
    CHECK(write(copy, &value, sizeof value) == sizeof value);
    ask_until_silent();
    pollfd& entry = array[round];
    for (int again = 0; again < 20; ++again) {
      CHECK(write(entry.fd, &value, sizeof value) == sizeof value);
      CHECK(ask() == 1 && entry.revents == POLLIN);
      CHECK(read(entry.fd, &value, sizeof value) == sizeof value);
      ask_until_silent();
    }
    CHECK(close(copy) == 0);
  }
  say("done\n");
}

SCENARIO(sets) {
  fd_set in;
  FD_ZERO(&in);
  int highest = 0;
  for (int i = 0; i < 100; ++i) {
    highest = eventfd(0, EFD_NONBLOCK);
    FD_SET(highest, &in);
  }
  for (int round = 0; round < 20; ++round) {
    static fd_set asked;
    auto ask = [&] {
      timeval none = {0, 0};
      asked = in;
      return select(highest + 1, &asked, nullptr, nullptr, &none);
    };
    for (int i = 0; i < 500; ++i) CHECK(ask() == 0);
    const int fd = highest - round * 4;
    CHECK(eventfd_write(fd, 1) == 0);
    CHECK(ask() == 1 && FD_ISSET(fd, &asked));
    eventfd_t value;
    CHECK(eventfd_read(fd, &value) == 0);
    CHECK(ask() == 0);
  }
}

namespace {

// Round trips between two threads that sleep in epoll_wait().
void ping_pong(int rounds) {
  static Asked here, there;
  static int times;
  times = rounds;
  auto echo = [](void*) -> void* {
    for (int i = 0; i < times; ++i) {
      CHECK(epoll_wait(there.set, there.events, 4, -1) == 1);
      there.drain();
      here.write();
    }
    return nullptr;
  };
  pthread_t thread;
  CHECK(pthread_create(&thread, nullptr, echo, nullptr) == 0);
  for (int i = 0; i < rounds; ++i) {
    there.write();
    CHECK(epoll_wait(here.set, here.events, 4, 10'000) == 1);
    here.drain();
  }
  CHECK(pthread_join(thread, nullptr) == 0);
}

long elapsed_us(const timespec& since) {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (now.tv_sec - since.tv_sec) * 1'000'000 + (now.tv_nsec - since.tv_nsec) / 1000;
}

}  // namespace

// With KEV_SPIN_USEC a wait watches memory before it sleeps.
SCENARIO(spins) { ping_pong(2000); }

SCENARIO(spins_and_times_out) {
  Asked asked;
  for (int i = 0; i < 100; ++i) {
    timespec begin;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    CHECK(epoll_wait(asked.set, asked.events, 4, 2) == 0);
    CHECK(elapsed_us(begin) >= 2000);
  }
}

// A handler that runs while memory is watched ends the wait, and no mask is left behind.
SCENARIO(spins_and_is_interrupted) {
  static Asked asked;
  static volatile int handled;
  struct sigaction action = {};
  action.sa_handler = [](int) { handled = handled + 1; };
  CHECK(sigaction(SIGALRM, &action, nullptr) == 0);
  for (int i = 0; i < 300; ++i) {
    itimerval timer = {};
    timer.it_value.tv_usec = 20 + i % 400;
    const int before = handled;
    // One that comes before the wait has begun interrupts nothing, natively as well: then it is tried again.
    CHECK(setitimer(ITIMER_REAL, &timer, nullptr) == 0);
    const int result = epoll_wait(asked.set, asked.events, 4, 20);
    CHECK(result == 0 || (result == -1 && errno == EINTR && handled == before + 1));
    sigset_t now;
    CHECK(sigprocmask(SIG_BLOCK, nullptr, &now) == 0 && sigismember(&now, SIGALRM) == 0 && sigismember(&now, SIGTERM) == 0);
  }
}

SCENARIO(spins_and_is_cancelled) {
  for (int round = 0; round < 50; ++round) {
    static sigset_t mask_at_the_end;
    Asked asked;
    pthread_t thread;
    auto wait = [](void* set) -> void* {
      epoll_event event;
      pthread_cleanup_push([](void*) { sigprocmask(SIG_BLOCK, nullptr, &mask_at_the_end); }, nullptr);
      for (;;) CHECK(epoll_wait(*static_cast<int*>(set), &event, 1, 1) == 0);
      pthread_cleanup_pop(0);
    };
    sigfillset(&mask_at_the_end);
    CHECK(pthread_create(&thread, nullptr, wait, &asked.set) == 0);
    usleep(static_cast<unsigned>(5000 + round * 37));
    CHECK(pthread_cancel(thread) == 0);
    void* result;
    CHECK(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
    CHECK(sigismember(&mask_at_the_end, SIGTERM) == 0);
    for (int fd : {asked.set, asked.event}) CHECK(close(fd) == 0);
  }
}

SCENARIO_MAIN
