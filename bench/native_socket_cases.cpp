// A thousand sockets, 64 of them busy, beside epoll, libevent and libuv.
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "native_side.hpp"

#ifdef HAVE_LIBEVENT
#include <event2/event.h>
#endif
#ifdef HAVE_LIBUV
#include <uv.h>
#endif

namespace kev::bench {

namespace {

constexpr unsigned kSockets = 1000, kActive = 64;

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

}  // namespace

void add_native_socket_cases(Cases& cases) {
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
