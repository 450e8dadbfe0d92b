// What the native library does, beside what it takes the place of: eventfd and epoll, timerfd, epoll_wait, libevent, libuv.
//
// A case is two things in one process, slice by slice in turn: "native" the system's way, "kev" the library's. Each checks
// its results. Fixtures are made by a Way, which the side of a worker decides.
#include <kev/kev.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>
#include <sched.h>
#include <string>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <thread>
#include <unistd.h>

#include "case.hpp"
#include "fixture.hpp"
#include "worker.hpp"

#ifdef HAVE_LIBEVENT
#include <event2/event.h>
#endif
#ifdef HAVE_LIBUV
#include <uv.h>
#endif

namespace kev::bench {

namespace {

constexpr unsigned kSockets = 1000, kActive = 64;
constexpr unsigned kTimers = 100'000;

class Queue {
 public:
  explicit Queue(uint32_t flags = 0, uint32_t ring = 0) {
    kev_attr attr = {flags, ring, {0, 0}};
    require(kev_create(&queue_, &attr, sizeof attr) == 0, "kev_create failed");
  }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  ~Queue() { kev_destroy(queue_); }
  kev_queue* get() const { return queue_; }

 private:
  kev_queue* queue_ = nullptr;
};

void control(int set, int fd, uint32_t bits, uint64_t data) {
  epoll_event event = {};
  event.events = bits;
  event.data.u64 = data;
  require(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl failed");
}

// ---- an event posted and taken by one thread ----

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

// ---- an event posted by another thread, taken by one that is busy ----

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

// ---- a timer armed and cancelled, many alive ----

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

struct Timer {
  Timer() {
    for (uint64_t i = 1; i <= kTimers; ++i) {
      kev_deadline first = {static_cast<int64_t>(30'000'000'000 + i * 7919 % kTimers * 100'000), 0, CLOCK_MONOTONIC, 0};
      require(kev_add_timer(queue.get(), i, &first, 0, 0, 0) == 0, "kev_add_timer failed");
    }
  }
  void call() {
    kev_deadline first = {30'000'000'000, 0, CLOCK_MONOTONIC, 0};
    require(kev_add_timer(queue.get(), 0, &first, 0, 0, 0) == 0 && kev_delete(queue.get(), KEV_SOURCE_TIMER, 0) == 0,
            "kev_add_timer failed");
  }
  Queue queue;
};

// ---- how late a timer is, for who sleeps until then ----

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

// ---- a thousand sockets, 64 of them busy ----

struct Sockets {
  Sockets() {
    for (unsigned i = 0; i < kSockets; ++i) {
      int pair[2];
      require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0, "socketpair failed");
      near.push_back(Fd(pair[0]));
      far.push_back(Fd(pair[1]));
    }
  }
  void send() const {
    for (unsigned i = 0; i < kActive; ++i)
      require(write(far[i * 15].get(), "x", 1) == 1, "a socket is full");
  }
  void receive(uint64_t index) const {
    char byte[16];
    require(read(near[index].get(), byte, sizeof byte) == 1, "nothing to read");
  }
  std::vector<Fd> near, far;
};

struct EpollSockets {
  EpollSockets() {
    for (unsigned i = 0; i < kSockets; ++i) control(set.get(), sockets.near[i].get(), EPOLLIN, i);
  }
  void call() {
    sockets.send();
    epoll_event events[kActive];
    require(epoll_wait(set.get(), events, kActive, -1) == kActive, "epoll_wait: another number");
    for (const epoll_event& event : events) sockets.receive(event.data.u64);
  }
  Sockets sockets;
  Fd set{epoll_create1(EPOLL_CLOEXEC)};
};

template <uint32_t Flags>
struct KevSockets {
  KevSockets() {
    for (unsigned i = 0; i < kSockets; ++i)
      require(kev_add_fd(queue.get(), sockets.near[i].get(), KEV_IN, 0, i) == 0, "kev_add_fd failed");
  }
  void call() {
    sockets.send();
    kev_event events[kActive];
    require(kev_wait(queue.get(), events, 1, kActive, nullptr, nullptr) == kActive, "kev_wait: another number");
    for (const kev_event& event : events) sockets.receive(event.udata);
  }
  Sockets sockets;
  Queue queue{Flags};
};

// Edge-triggered, and the wait alone is timed: the rest is the sockets' own reads and writes, and the same.
struct EpollEdges final : Fixture {
  EpollEdges() {
    for (unsigned i = 0; i < kSockets; ++i) control(set.get(), sockets.near[i].get(), EPOLLIN | EPOLLET, i);
  }
  void run(uint64_t calls, Stopwatch& watch) override {
    for (; calls > 0; --calls) {
      sockets.send();
      epoll_event events[kActive];
      watch.start();
      int count = epoll_wait(set.get(), events, kActive, -1);
      watch.stop();
      require(count == kActive, "epoll_wait: another number");
      for (const epoll_event& event : events) sockets.receive(event.data.u64);
    }
  }
  Sockets sockets;
  Fd set{epoll_create1(EPOLL_CLOEXEC)};
};

template <uint32_t Flags>
struct KevEdges final : Fixture {
  KevEdges() {
    for (unsigned i = 0; i < kSockets; ++i)
      require(kev_add_fd(queue.get(), sockets.near[i].get(), KEV_IN, KEV_EDGE, i) == 0, "kev_add_fd failed");
  }
  void run(uint64_t calls, Stopwatch& watch) override {
    for (; calls > 0; --calls) {
      sockets.send();
      kev_event events[kActive];
      watch.start();
      int count = kev_wait(queue.get(), events, 1, kActive, nullptr, nullptr);
      watch.stop();
      require(count == kActive, "kev_wait: another number");
      for (const kev_event& event : events) sockets.receive(event.udata);
    }
  }
  Sockets sockets;
  Queue queue{Flags};
};

#ifdef HAVE_LIBEVENT
struct LibeventSockets {
  struct Watched {
    LibeventSockets* owner;
    unsigned index;
  };
  LibeventSockets() {
    watched.reserve(kSockets);
    for (unsigned i = 0; i < kSockets; ++i) {
      watched.push_back({this, i});
      events.push_back(event_new(
          base, sockets.near[i].get(), EV_READ | EV_PERSIST,
          [](evutil_socket_t, short, void* of) {
            auto* one = static_cast<Watched*>(of);
            one->owner->sockets.receive(one->index);
            ++one->owner->received;
          },
          &watched.back()));
      event_add(events.back(), nullptr);
    }
  }
  ~LibeventSockets() {
    for (event* one : events) event_free(one);
    event_base_free(base);
  }
  void call() {
    sockets.send();
    received = 0;
    while (received < kActive) event_base_loop(base, EVLOOP_ONCE);  // it takes 32 at first
  }
  Sockets sockets;
  event_base* base = event_base_new();
  unsigned received = 0;
  std::vector<Watched> watched;
  std::vector<event*> events;
};
#endif

#ifdef HAVE_LIBUV
struct LibuvSockets {
  struct Watched {
    uv_poll_t handle;
    const Sockets* sockets;
    unsigned index;
  };
  LibuvSockets() : watched(kSockets) {
    uv_loop_init(&loop);
    for (unsigned i = 0; i < kSockets; ++i) {
      watched[i].sockets = &sockets;
      watched[i].index = i;
      watched[i].handle.data = &watched[i];
      uv_poll_init(&loop, &watched[i].handle, sockets.near[i].get());
      uv_poll_start(&watched[i].handle, UV_READABLE, [](uv_poll_t* handle, int, int) {
        auto* one = static_cast<Watched*>(handle->data);
        one->sockets->receive(one->index);
      });
    }
  }
  ~LibuvSockets() {
    for (Watched& one : watched) uv_close(reinterpret_cast<uv_handle_t*>(&one.handle), nullptr);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
  }
  void call() {
    sockets.send();
    uv_run(&loop, UV_RUN_ONCE);
  }
  Sockets sockets;
  uv_loop_t loop;
  std::vector<Watched> watched;
};
#endif

template <typename One>
struct Loop final : Fixture {
  void run(uint64_t calls, Stopwatch& watch) override {
    watch.start();
    for (; calls > 0; --calls) one.call();
    watch.stop();
  }
  One one;
};

// The worker that has the object preloaded is the one for the library here; the object itself has no part in it.
template <typename Native, typename Kev>
void add(Cases& cases, const char* name, Limit limit, Clock clock = Clock::thread_cpu, uint64_t calls_per_slice = 0) {
  cases.add(
      name, limit,
      []() -> std::unique_ptr<Fixture> {
        if (is_preloaded()) return std::make_unique<Kev>();
        return std::make_unique<Native>();
      },
      clock, calls_per_slice);
}

}  // namespace

void add_native_cases(Cases& cases) {
  add<Loop<EventfdSelf>, Loop<PostSelf>>(cases, "native/post/same-thread", times(20));
  add<EventfdOther, PostOther>(cases, "native/post/other-thread", times(20), Clock::wall, 50'000);
  add<Loop<EventfdSelf>, RingToUser>(cases, "native/ring-to-user/64", kNoLimit);
  add<Loop<Timerfd>, Loop<Timer>>(cases, "native/timer/arm-cancel", kNoLimit);
  constexpr uint64_t kFewTimers = 20;
  add<TimerfdLateness, TimerLateness>(cases, "native/timer/lateness", kHundredMicroseconds, Clock::wall, kFewTimers);
  add<Loop<EpollSockets>, Loop<KevSockets<0>>>(cases, "native/1000-sockets/epoll", kParity);
  add<Loop<EpollSockets>, Loop<KevSockets<KEV_Q_SINGLE>>>(cases, "native/1000-sockets/epoll-single", kParity);
  constexpr uint64_t kFewWaits = 40;
  add<EpollEdges, KevEdges<KEV_Q_SINGLE>>(cases, "native/1000-sockets/edges-wait-epoll", kNoLimit, Clock::wall, kFewWaits);
  add<EpollEdges, KevEdges<KEV_Q_SINGLE | KEV_Q_URING>>(cases, "native/1000-sockets/edges-wait-uring", times(1.3),
                                                        Clock::wall, kFewWaits);
  // On the kernel's epoll the sockets' own reads and writes are all but all of it.
#ifdef HAVE_LIBEVENT
  add<Loop<LibeventSockets>, Loop<KevSockets<KEV_Q_SINGLE>>>(cases, "native/1000-sockets/libevent", kParity);
#endif
#ifdef HAVE_LIBUV
  add<Loop<LibuvSockets>, Loop<KevSockets<KEV_Q_SINGLE>>>(cases, "native/1000-sockets/libuv", kParity);
#endif
}

}  // namespace kev::bench
