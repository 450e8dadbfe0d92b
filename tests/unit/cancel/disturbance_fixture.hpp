// Threads that are cancelled all the time, and what must not notice.
#pragma once

#include <gnu/libc-version.h>
#include <gtest/gtest.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <functional>
#include <thread>

#include "cancel/record.hpp"
#include "canceller_fixture.hpp"
#include "support/descriptor.hpp"
#include "support/stopwatch.hpp"
#include "support/stub_call.hpp"
#include "support/target.hpp"

namespace kev::cancel {

// A semaphore that a thread waits for in a call that no C library and no handler restarts, and that is no cancellation
// point.
class Semaphore {
 public:
  Semaphore() : id_(::semget(IPC_PRIVATE, 1, 0600)) { EXPECT_GE(id_, 0); }
  ~Semaphore() { ::semctl(id_, 0, IPC_RMID); }
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  // 0, -EAGAIN when the time is over, or -EINTR.
  long wait(long ns) {
    sembuf down = {0, -1, 0};
    timespec time = {ns / kSecond, ns % kSecond};
    return by_kernel(SYS_semtimedop, id_, &down, 1, &time);
  }
  void post() {
    sembuf up = {0, 1, 0};
    ::semop(id_, &up, 1);
  }

 private:
  int id_;
};

// glibc 2.41 signals every thread that has cancellation enabled, wherever it is.
inline bool libc_signals_everybody() { return ::strverscmp(::gnu_get_libc_version(), "2.41") >= 0; }

class DisturbanceTest : public CancellerTest {
 protected:
  // `body` runs as long as the canceller is at work on its thread, and counts its rounds in `passes`.
  void cancelled_all_the_time(std::function<void()> body) {
    std::atomic<bool> started{false};
    stop = false;
    Target target([&] {
      started = true;
      body();
      disable();
    });
    wait_for(started);
    std::thread canceller([&] {
      Jitter jitter;
      while (!stop) {
        // As if it were the first each time: what a thread was told before is not told again. But a thread has one signal
        // only, and knows by it that nobody else is at work on it: the last one must have been handled.
        record_of(target.thread()).told = false;
        const long before = passes;
        target.cancel();
        ++cancellations;
        while (passes < before + 3 && !stop) ::sched_yield();
        jitter.pass(100'000);
      }
    });
    sleep_ns(kTime);
    stop = true;
    canceller.join();
    EXPECT_FALSE(target.join());
    EXPECT_GT(cancellations, 100);
  }

  // Some microseconds, so that a canceller finds the thread there.
  long spend_time_in_stub(unsigned long how) { return by_stub_how(how, SYS_read, zero.get(), buffer, sizeof buffer); }

  static constexpr std::int64_t kTime = 800 * kMillisecond;
  const Descriptor zero{::open("/dev/zero", O_RDONLY | O_CLOEXEC)};
  char buffer[65536];
  std::atomic<bool> stop{false};
  std::atomic<long> cancellations{0}, passes{0};
  Semaphore semaphore;
};

}  // namespace kev::cancel
