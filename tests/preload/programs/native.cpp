// A program that is linked with libkev.so.1: queues beside mirrored arrays, and their private descriptors.
#include <kev/kev.h>

#include <linux/futex.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <atomic>

#include "support/process.hpp"
#include "support/watched.hpp"

using namespace scenario;

namespace {

constexpr kev_deadline within(long ms) { return {ms * 1'000'000, 0, CLOCK_MONOTONIC, 0}; }

int lowest_free() {
  const int fd = ::dup(0);
  CHECK(fd >= 0);
  CHECK(::close(fd) == 0);
  return fd;
}

kev_queue* make_queue(std::uint32_t flags = 0) {
  kev_attr attr = {flags, 0, {0, 0}};
  kev_queue* queue = nullptr;
  CHECK(kev_create(&queue, &attr, sizeof attr) == 0);
  return queue;
}

// One event of `source` comes.
kev_event expect_event(kev_queue* queue, unsigned source) {
  const kev_deadline deadline = within(10'000);
  kev_event event = {};
  int count;
  while ((count = kev_wait(queue, &event, 1, 1, &deadline, nullptr)) == -EINTR) {
  }
  CHECK(count == 1);
  CHECK(event.source == source);
  return event;
}

// Every source that makes or has a descriptor of its own.
class Everything {
 public:
  Everything() {
    sigset_t mask;
    ::sigemptyset(&mask);
    ::sigaddset(&mask, SIGUSR1);
    CHECK(::pthread_sigmask(SIG_BLOCK, &mask, nullptr) == 0);
    fd_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    CHECK(kev_add_fd(queue, fd_, KEV_IN, KEV_EDGE, 0) == 0);
    CHECK(kev_add_signal(queue, SIGUSR1, 0, 0) == 0);
    CHECK(kev_add_user(queue, 1, 0, 0) == 0);
    CHECK(kev_add_timer(queue, 1, nullptr, 0, KEV_NOTICE_CLOCK_SET, 0) == 0);
    CHECK(kev_add_timer(queue, 2, nullptr, 0, 0, 0) == 0);
    has_futex_ = kev_add_futex(queue, reinterpret_cast<std::uint32_t*>(&word_), 0, 0, 0) == 0;
    outside = kev_fd(queue);
    CHECK(outside >= 0);
  }
  ~Everything() {
    CHECK(kev_destroy(queue) == 0);
    CHECK(::close(fd_) == 0);
  }

  void exercise() {
    pollfd look = {outside, POLLIN, 0};
    CHECK(::poll(&look, 1, 0) == 0);
    const unsigned long one = 1;
    CHECK(::write(fd_, &one, sizeof one) == sizeof one);
    CHECK(::poll(&look, 1, 1000) == 1);
    expect_event(queue, KEV_SOURCE_FD);
    CHECK(::kill(::getpid(), SIGUSR1) == 0);
    CHECK(::poll(&look, 1, 1000) == 1);
    CHECK((expect_event(queue, KEV_SOURCE_SIGNAL).data[0] & 0xffffffff) == static_cast<unsigned>(::getpid()));
    kev_change change = {};
    change.source = KEV_SOURCE_TIMER;
    change.op = KEV_MOD;
    change.ident = 2;
    change.arg[0] = 1'000'000;
    change.arg[2] = CLOCK_BOOTTIME;
    CHECK(kev_submit(queue, &change, 1) == 0);
    expect_event(queue, KEV_SOURCE_TIMER);
    CHECK(kev_post(queue, 1, 5, nullptr) == 0);
    CHECK(::poll(&look, 1, 1000) == 1);
    CHECK(expect_event(queue, KEV_SOURCE_USER).result == 5);
    if (has_futex_) {
      ++word_;
      CHECK(::syscall(SYS_futex, &word_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0) >= 0);
      CHECK(expect_event(queue, KEV_SOURCE_FUTEX).data[0] == word_);
      change = {};
      change.source = KEV_SOURCE_FUTEX;
      change.op = KEV_MOD;
      change.ident = reinterpret_cast<std::uint64_t>(&word_);
      change.arg[0] = word_;
      CHECK(kev_submit(queue, &change, 1) == 0);
    }
    CHECK(::poll(&look, 1, 0) == 0);
  }

  kev_queue* queue = make_queue();
  int outside;

 private:
  int fd_;
  std::atomic<std::uint32_t> word_{0};
  bool has_futex_;
};

void* wait_for_ever(void* of) {
  kev_event event;
  kev_wait(static_cast<kev_queue*>(of), &event, 1, 1, nullptr, nullptr);
  return nullptr;
}

void* wait_and_hold(void* of) {
  auto* queue = static_cast<kev_queue*>(of);
  kev_claim claim;
  while (kev_sleep(queue, kev_index(queue), nullptr, nullptr) != 1 || kev_claim_events(queue, 1, &claim) != 1) {
  }
  for (;;) ::poll(nullptr, 0, -1);
}

void cancel(pthread_t thread) {
  void* result;
  CHECK(::pthread_cancel(thread) == 0);
  CHECK(::pthread_join(thread, &result) == 0);
  CHECK(result == PTHREAD_CANCELED);
}

}  // namespace

// Numbers are those of the program alone, whoever makes them.
SCENARIO(numbers) {
  Watched watched;
  for (int round = 0; round < 20; ++round) {
    watched.exercise();
    Everything first, second;
    first.exercise();
    watched.exercise();
    second.exercise();
    say("%d %d %d\n", first.outside, second.outside, lowest_free());
  }
  say("%d\n", lowest_free());
}

// An array and a queue watch the same descriptors, and kev_fd() stands in the array.
SCENARIO(beside_an_array) {
  Watched watched;
  Everything everything;
  watched.fds.push_back({everything.outside, POLLIN, 0});
  const unsigned last = kWatched;
  kev_queue* queue = make_queue(KEV_Q_SINGLE);
  for (unsigned i = 0; i < kWatched; ++i) CHECK(kev_add_fd(queue, watched.fds[i].fd, KEV_IN, 0, i) == 0);
  for (unsigned round = 0; round < 100; ++round) {
    const unsigned one = round % kWatched;
    watched.fire(one);
    watched.expect({one}, 1);
    CHECK(expect_event(queue, KEV_SOURCE_FD).udata == one);
    watched.expect({one}, 1);
    watched.calm(one);
    CHECK(kev_post(everything.queue, 1, round, nullptr) == 0);
    watched.expect({last}, 1);
    CHECK(expect_event(everything.queue, KEV_SOURCE_USER).result == round);
    watched.expect({}, 1);
  }
  CHECK(kev_destroy(queue) == 0);
  watched.fds.pop_back();
}

// What makes the core give up descriptors: a lowered limit, all numbers taken, a fork.
SCENARIO(left_alone) {
  Watched watched;
  Everything everything;
  watched.exercise();
  rlimit limit;
  CHECK(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = 256;
  CHECK(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  watched.exercise();
  everything.exercise();
  std::set<int> taken;
  for (int fd; (fd = ::dup(0)) >= 0;) taken.insert(fd);
  CHECK(errno == EMFILE);
  say("%zu\n", taken.size());
  watched.exercise();
  everything.exercise();
  for (int fd : taken) CHECK(::close(fd) == 0);
  // Numbers are taken one by one, but for those that are open.
  for (int fd = lowest_free(); fd < 256; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    CHECK(::dup2(0, fd) == fd);
    CHECK(watched.poll(0) == 0);
    CHECK(::close(fd) == 0);
  }
  everything.exercise();
  const pid_t child = ::fork();
  if (child == 0) {
    watched.exercise();
    CHECK(kev_post(everything.queue, 1, 1, nullptr) == -ECHILD);
    CHECK(kev_destroy(everything.queue) == 0);
    watched.exercise();
    ::_exit(0);
  }
  expect_success(child);
  watched.exercise();
  everything.exercise();
}

// Where the limit is met by the library, which makes its system calls itself.
SCENARIO(limit) {
  Watched watched;
  rlimit limit;
  CHECK(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = 128;
  CHECK(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  for (int round = 0; round < 5; ++round) {
    watched.exercise();
    std::vector<kev_queue*> queues;
    kev_queue* queue;
    int error;
    while ((error = kev_create(&queue, nullptr, 0)) == 0) queues.push_back(queue);
    say("%zu %d\n", queues.size(), error);
    watched.exercise();
    for (kev_queue* one : queues) CHECK(kev_destroy(one) == 0);
  }
}

// The object's pthread_cancel, and the library's cancellation points.
SCENARIO(cancelled) {
  Watched watched;
  kev_queue* queue = make_queue();
  CHECK(kev_add_user(queue, 1, 0, 0) == 0);
  for (int round = 0; round < 50; ++round) {
    pthread_t asleep, holding;
    CHECK(::pthread_create(&asleep, nullptr, wait_for_ever, queue) == 0);
    if (round % 2 == 0) ::usleep(1000);
    cancel(asleep);
    CHECK(::pthread_create(&holding, nullptr, wait_and_hold, queue) == 0);
    CHECK(kev_post(queue, 1, round, nullptr) == 0);
    if (round % 3 != 0) ::usleep(1000);
    watched.expect({}, 1);
    cancel(holding);
    CHECK(expect_event(queue, KEV_SOURCE_USER).result == round);
  }
  CHECK(kev_destroy(queue) == 0);
}

SCENARIO_MAIN
