// The queue's lock: held for a few hundred instructions and, now and then, a system call that does not sleep.
//
// Unlocking is a plain store, so that a pair costs one locked instruction, and none in a process that has never had a
// second thread; whoever meets it held looks again, and soon sleeps for moments. Never taken by what is async-signal-safe.
// Not recursive, no cancellation point.
#pragma once

#include <arch_syscall.hpp>
#include <atomic>

#include "os/thread.hpp"

// glibc's word for it, from 2.32 on: false before the second thread begins, and for ever then. That one finds what was
// locked before locked.
extern "C" {
extern char __libc_single_threaded __attribute__((weak));
}

namespace kev::queue {

inline bool is_single_threaded() { return &__libc_single_threaded != nullptr && __libc_single_threaded != 0; }

class Lock {
 public:
  void lock() {
    if (is_single_threaded())
      word_.store(1, std::memory_order_relaxed);
    else if (!try_lock())
      lock_slowly();
  }
  bool try_lock() {
    unsigned free = 0;
    return word_.compare_exchange_strong(free, 1, std::memory_order_acquire, std::memory_order_relaxed);
  }
  void unlock() { word_.store(0, std::memory_order_release); }  // partner: try_lock()

 private:
  [[gnu::noinline]] void lock_slowly() {
    constexpr int kSpins = 200, kYields = 220;
    constexpr long kPause = 20'000;
    for (int tries = 0;; ++tries) {
      if (word_.load(std::memory_order_relaxed) == 0 && try_lock()) return;
      if (tries < kSpins)
        arch::relax();
      else if (tries < kYields)
        os::yield();
      else
        os::pause_ns(kPause);
    }
  }

  std::atomic<unsigned> word_{0};
};

class Locked {
 public:
  explicit Locked(Lock& lock) : lock_(lock) { lock_.lock(); }
  ~Locked() { lock_.unlock(); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  Lock& lock_;
};

}  // namespace kev::queue
