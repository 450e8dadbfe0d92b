// Timers, beside timerfd.
#include <ctime>
#include <sys/timerfd.h>
#include <unistd.h>
#include <vector>

#include "native_side.hpp"

namespace kev::bench {

namespace {

constexpr unsigned kTimers = 100'000;

// A timer armed and cancelled, many alive.

struct Timerfd {
  Timerfd() {
    for (unsigned i = 0; i < 1000; ++i) others.push_back(Fd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)));
  }
  void call() {
    itimerspec at = {{0, 0}, {30, 0}}, off = {};
    require(timerfd_settime(timer.get(), 0, &at, nullptr) == 0 && timerfd_settime(timer.get(), 0, &off, nullptr) == 0,
            "timerfd_settime failed");
  }
  std::vector<Fd> others;
  Fd timer{timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)};
};

struct ManyTimers {
  ManyTimers() {
    for (uint64_t i = 0; i <= kTimers; ++i) {
      kev_deadline first = {static_cast<int64_t>(30'000'000'000 + i * 7919 % kTimers * 100'000), 0, CLOCK_MONOTONIC, 0};
      require(kev_add_timer(queue.get(), i, &first, 0, 0, 0) == 0, "kev_add_timer failed");
    }
  }
  Queue queue;
};

// One that comes and goes.
struct AddDelete : ManyTimers {
  void call() {
    kev_deadline first = {30'000'000'000, 0, CLOCK_MONOTONIC, 0};
    require(kev_add_timer(queue.get(), kTimers + 1, &first, 0, 0, 0) == 0 &&
                kev_delete(queue.get(), KEV_SOURCE_TIMER, kTimers + 1) == 0,
            "kev_add_timer failed");
  }
};

// One that stays, as the timerfd does.
struct EnableDisable : ManyTimers {
  EnableDisable() {
    change.source = KEV_SOURCE_TIMER;
    change.ident = kTimers / 2;
  }
  void call() {
    change.op = KEV_DISABLE;
    require(kev_submit(queue.get(), &change, 1) == 0, "KEV_DISABLE failed");
    change.op = KEV_ENABLE;
    require(kev_submit(queue.get(), &change, 1) == 0, "KEV_ENABLE failed");
  }
  kev_change change = {};
};

// How late a timer is, for who sleeps until then.

int64_t monotonic_now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1'000'000'000) + now.tv_nsec;
}

template <typename Wait>
void add_up_lateness(uint64_t calls, Stopwatch& watch, Wait wait) {
  constexpr int64_t kAhead = 300'000;
  for (; calls > 0; --calls) {
    int64_t due = monotonic_now() + kAhead;
    wait(due);
    int64_t late = monotonic_now() - due;
    require(late >= 0, "a timer was early");
    watch.add(late);
  }
}

struct TimerfdLateness final : Fixture {
  TimerfdLateness() { control(set.get(), timer.get(), EPOLLIN, 1); }
  void run(uint64_t calls, Stopwatch& watch) override {
    add_up_lateness(calls, watch, [&](int64_t due) {
      itimerspec at = {{0, 0}, {due / 1'000'000'000, due % 1'000'000'000}};
      epoll_event event;
      uint64_t times;
      require(timerfd_settime(timer.get(), TFD_TIMER_ABSTIME, &at, nullptr) == 0 &&
                  epoll_wait(set.get(), &event, 1, -1) == 1 && read(timer.get(), &times, sizeof times) == sizeof times,
              "timerfd: no event");
    });
  }
  Fd set{epoll_create1(EPOLL_CLOEXEC)}, timer{timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)};
};

struct TimerLateness final : Fixture {
  void run(uint64_t calls, Stopwatch& watch) override {
    add_up_lateness(calls, watch, [&](int64_t due) {
      kev_deadline first = {due, 0, CLOCK_MONOTONIC, KEV_ABS};
      kev_event event;
      require(kev_add_timer(queue.get(), 1, &first, 0, KEV_ONESHOT, 0) == 0 &&
                  kev_wait(queue.get(), &event, 1, 1, nullptr, nullptr) == 1,
              "kev_add_timer: no event");
    });
  }
  Queue queue;
};

}  // namespace

void add_native_timer_cases(Cases& cases) {
  add<Loop<Timerfd>, Loop<AddDelete>>(cases, "native/timer/add-delete", kNoLimit);
  add<Loop<Timerfd>, Loop<EnableDisable>>(cases, "native/timer/enable-disable", kNoLimit);
  constexpr uint64_t kFewTimers = 20;
  add<TimerfdLateness, TimerLateness>(cases, "native/timer/lateness", kHundredMicroseconds, Clock::wall, kFewTimers);
}

}  // namespace kev::bench
