// The two sides of a native case: "native" is the system's way, "kev" the library's, slice by slice in turn in one process.
//
// Each checks its results. Fixtures are made by a Way, which the side of a worker decides.
#pragma once

#include <kev/kev.h>

#include <memory>
#include <sys/epoll.h>

#include "case.hpp"
#include "fixture.hpp"
#include "worker.hpp"

namespace kev::bench {

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

inline void control(int set, int fd, uint32_t bits, uint64_t data) {
  epoll_event event = {};
  event.events = bits;
  event.data.u64 = data;
  require(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl failed");
}

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

}  // namespace kev::bench
