// A program's own events, beside eventfd and epoll.
#include <atomic>
#include <cerrno>
#include <cstring>
#include <sched.h>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>

#include "native_side.hpp"

namespace kev::bench {

namespace {

// An event posted and taken by one thread.

struct EventfdSelf {
  EventfdSelf() { control(set.get(), event.get(), EPOLLIN, 1); }
  void call() {
    uint64_t value = 1;
    epoll_event out;
    require(write(event.get(), &value, sizeof value) == sizeof value && epoll_wait(set.get(), &out, 1, -1) == 1 &&
                read(event.get(), &value, sizeof value) == sizeof value,
            "eventfd: no event");
  }
  Fd set{epoll_create1(EPOLL_CLOEXEC)}, event{make_eventfd()};
};

struct PostSelf {
  PostSelf() { kev_add_user(queue.get(), 1, 0, 0); }
  void call() {
    kev_event event;
    require(kev_post(queue.get(), 1, 1, nullptr) == 0 && kev_wait(queue.get(), &event, 1, 1, nullptr, nullptr) == 1,
            "kev_wait: no event");
  }
  Queue queue;
};

// From the ring to the user, 64 at a time; posting is not timed.
struct RingToUser final : Fixture {
  RingToUser() { kev_add_user(queue.get(), 1, 0, 0); }
  void run(uint64_t calls, Stopwatch& watch) override {
    constexpr uint64_t kRing = 16384;
    kev_event events[64];
    for (uint64_t done = 0; done < calls;) {
      for (uint64_t i = 0; i < kRing; ++i) kev_post(queue.get(), 1, 1, nullptr);
      watch.start();
      for (uint64_t i = 0; i < kRing; i += 64)
        require(kev_wait(queue.get(), events, 1, 64, nullptr, nullptr) == 64, "kev_wait: another number");
      watch.stop();
      done += kRing;
    }
  }
  Queue queue{0, 16384};
};

// An event posted by another thread, taken by one that is busy.

template <typename Post, typename Take>
void pass_between(uint64_t calls, Stopwatch& watch, Post post, Take take) {
  std::atomic<bool> ready{false}, go{false};
  std::thread poster([&] {
    // Not on the taker's processor, to which the worker is bound.
    cpu_set_t all;
    std::memset(&all, 0xff, sizeof all);
    sched_setaffinity(0, sizeof all, &all);
    ready.store(true);
    while (!go.load()) {
    }
    for (uint64_t i = 0; i < calls; ++i) post();
  });
  while (!ready.load()) std::this_thread::yield();
  watch.start();
  go.store(true);
  for (uint64_t taken = 0; taken < calls;) taken += take();
  watch.stop();
  poster.join();
}

struct EventfdOther final : Fixture {
  EventfdOther() { control(set.get(), event.get(), EPOLLIN, 1); }
  void run(uint64_t calls, Stopwatch& watch) override {
    pass_between(
        calls, watch,
        [&] {
          uint64_t one = 1;
          require(write(event.get(), &one, sizeof one) == sizeof one, "eventfd: not written");
        },
        [&]() -> uint64_t {
          epoll_event out;
          uint64_t value = 0;
          if (epoll_wait(set.get(), &out, 1, 0) == 1) require(read(event.get(), &value, sizeof value) > 0, "eventfd");
          return value;
        });
  }
  Fd set{epoll_create1(EPOLL_CLOEXEC)}, event{make_eventfd()};
};

struct PostOther final : Fixture {
  PostOther() { kev_add_user(queue.get(), 1, 0, 0); }
  void run(uint64_t calls, Stopwatch& watch) override {
    pass_between(
        calls, watch,
        [&] {
          while (kev_post(queue.get(), 1, 1, nullptr) == -EAGAIN) std::this_thread::yield();
        },
        [&]() -> uint64_t {
          kev_event events[64];
          int count = kev_wait(queue.get(), events, 0, 64, nullptr, nullptr);
          if (count == 0) std::this_thread::yield();
          return static_cast<uint64_t>(count);
        });
  }
  Queue queue{0, 4096};
};

}  // namespace

void add_native_post_cases(Cases& cases) {
  add<Loop<EventfdSelf>, Loop<PostSelf>>(cases, "native/post/same-thread", times(20));
  add<EventfdOther, PostOther>(cases, "native/post/other-thread", times(20), Clock::wall, 50'000);
  add<Loop<EventfdSelf>, RingToUser>(cases, "native/ring-to-user/64", kNoLimit);
}

}  // namespace kev::bench
