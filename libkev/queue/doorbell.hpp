// Who sleeps, and how one of them is woken: no system call while nobody does.
//
//   producer                              sleeper
//   1  the event stands (ring)            a  sleepers += 1
//   2  sleepers == 0? done                b  an event stands? does not sleep
//   3  notified := 1; was 1? done         c  sleeps; the bell ends it
//   4  rings the bell (an eventfd)        d  rang? notified := 0;  sleepers -= 1
//                                         e  looks at the ring, again and again, before the next `a`
//
// All of it is sequentially consistent: either 2 sees `a`, or `b` sees 1. While notified is 1 a ring of the bell is on
// its way to a sleeper, present or next; that one clears it at `d` and looks at `e`, so a producer that stops at 3 is
// served by it. A ring wakes one; who takes less than there is rings again (pass_on). A thread that is cancelled at `c`
// does `d`, and passes on. The bell is edge-triggered in the set that is slept on, and never read.
// Any context; nothing here sleeps or locks.
#pragma once

#include <atomic>
#include <cstdint>

#include "os/file.hpp"

namespace kev::queue {

class Doorbell {
 public:
  void attach(int bell) {
    bell_ = bell;
    sleepers_ = notified_ = requests_ = 0;
  }
  int bell() const { return bell_; }

  uint32_t sleepers() const { return sleepers_.load(std::memory_order_seq_cst); }

  // Something stands: one sleeper is to look.
  void notify() {
    if (sleepers() != 0 && notified_.exchange(1, std::memory_order_seq_cst) == 0) ring();
  }

  void go_to_sleep() { sleepers_.fetch_add(1, std::memory_order_seq_cst); }
  void woken(bool rang) {
    if (rang) notified_.store(0, std::memory_order_seq_cst);
    sleepers_.fetch_sub(1, std::memory_order_seq_cst);
  }

  // The bell was heard by one who does not sleep.
  void heard() { notified_.store(0, std::memory_order_seq_cst); }

  // `count` waits are to return though nothing stands.
  void request(uint32_t count) {
    constexpr uint32_t kMost = 1u << 30;
    uint32_t before = requests_.load(std::memory_order_relaxed);
    uint32_t after;
    do after = count > kMost - before ? kMost : before + count;
    while (!requests_.compare_exchange_weak(before, after, std::memory_order_seq_cst, std::memory_order_relaxed));
    notify();
  }
  bool is_requested() const { return requests_.load(std::memory_order_seq_cst) != 0; }
  bool take_request() {
    uint32_t before = requests_.load(std::memory_order_relaxed);
    while (before != 0)
      if (requests_.compare_exchange_weak(before, before - 1, std::memory_order_seq_cst, std::memory_order_relaxed))
        return true;
    return false;
  }

 private:
  void ring() {
    uint64_t one = 1;
    os::write(bell_, &one, sizeof one);
  }

  int bell_ = -1;
  alignas(64) std::atomic<uint32_t> sleepers_{0};
  std::atomic<uint32_t> notified_{0};
  std::atomic<uint32_t> requests_{0};
};

}  // namespace kev::queue
