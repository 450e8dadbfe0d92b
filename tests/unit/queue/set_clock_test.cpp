// The machine's clock is set, to the time that it shows: what is to end or be told, is. Only where KEV_TEST_SET_CLOCK says
// that it may be; the other tests put the kernel's notice into the queue by hand.
#include <kev/kev.h>

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <thread>

#include "support/native_queue.hpp"

namespace {

using namespace native;

// In a queue of each kind, what `wait` returns while the clock is set.
template <typename Wait>
void set_clock_during(Wait wait, int expected) {
  for (const std::uint32_t flags : {0u, KEV_Q_SINGLE, KEV_Q_SINGLE | KEV_Q_URING}) {
    Queue queue(flags);
    std::thread setter([&] {
      wait_until([&] { return queue.info().waiters == 1; });
      sleep_ns(20 * kMillisecond);
      timespec now;
      ::clock_gettime(CLOCK_REALTIME, &now);
      EXPECT_EQ(0, ::clock_settime(CLOCK_REALTIME, &now)) << std::strerror(errno);
    });
    EXPECT_EQ(expected, wait(queue.get())) << "flags " << flags;
    setter.join();
  }
}

TEST(SetClockTest, EndsTellsAndLeavesAlone) {
  if (std::getenv("KEV_TEST_SET_CLOCK") == nullptr) GTEST_SKIP() << "sets the clock, which KEV_TEST_SET_CLOCK=1 allows";
  kev_event event;
  set_clock_during([&](kev_queue* q) {
    kev_deadline deadline = {10 * kSecond, 0, CLOCK_MONOTONIC, KEV_END_ON_CLOCK_SET};
    return kev_wait(q, &event, 1, 1, &deadline, nullptr);
  }, -ECANCELED);
  set_clock_during([&](kev_queue* q) {
    EXPECT_EQ(0, kev_add_timer(q, 1, nullptr, 0, KEV_NOTICE_CLOCK_SET, 0));
    kev_deadline deadline = {10 * kSecond, 0, CLOCK_MONOTONIC, 0};
    const int count = kev_wait(q, &event, 1, 1, &deadline, nullptr);
    EXPECT_EQ(KEV_CLOCK_SET, event.what);
    return count;
  }, 1);
  set_clock_during([&](kev_queue* q) {
    kev_deadline deadline = {100 * kMillisecond, 0, CLOCK_MONOTONIC, 0};
    return kev_wait(q, &event, 1, 1, &deadline, nullptr);
  }, 0);
}

}  // namespace
