// Queues for the tests of the native API, each run for every form that a queue has: several waiters, one waiter, one with
// a ring, and with kev_fd() in use. What is edge-triggered goes to the ring with its first report, whatever it is.
#pragma once

#include <gtest/gtest.h>
#include <kev/kev.h>

#include <cerrno>
#include <functional>
#include <thread>
#include <vector>

#include "queue/queue.hpp"
#include "support/descriptor.hpp"
#include "support/stopwatch.hpp"

namespace native {

using namespace conformance;

struct Form {
  const char* name;
  std::uint32_t flags;
  bool outside;
  bool ring = false;  // made at once
};

constexpr kev_deadline from_now(std::int64_t ns) { return {ns, 0, CLOCK_MONOTONIC, 0}; }

class Queue {
 public:
  explicit Queue(std::uint32_t flags = 0, std::uint32_t ring = 0, bool outside = false) {
    kev_attr attr = {flags, ring, {0, 0}};
    EXPECT_EQ(0, kev_create(&queue_, &attr, sizeof attr));
    queue_->ring_after = 1;
    queue_->ring_takes_all = true;
    if (outside) {
      EXPECT_LE(0, kev_fd(queue_));
    }
  }
  // The ring of the calling thread, before there is anything for it.
  void open_ring() {
    kev::queue::Locked locked(queue_->lock);
    queue_->ring_reason = queue_->watcher.open_ring();
    kev::queue::this_thread();
  }
  ~Queue() {
    if (queue_ != nullptr) {
      EXPECT_EQ(0, kev_destroy(queue_));
    }
  }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  kev_queue* get() const { return queue_; }
  void forget() { queue_ = nullptr; }

  // What stands now, or comes within `ns`, at most `max`.
  std::vector<kev_event> wait(std::int64_t ns = 0, unsigned max = 64, unsigned min = 1) {
    std::vector<kev_event> events(max);
    kev_deadline deadline = from_now(ns);
    errno = 4242;
    int count = kev_wait(queue_, events.data(), min, max, &deadline, nullptr);
    EXPECT_EQ(4242, errno) << "errno was touched";
    EXPECT_LE(0, count);
    events.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return events;
  }
  kev_info info() const {
    kev_info info;
    EXPECT_EQ(static_cast<int>(sizeof info), kev_query(queue_, &info, sizeof info));
    return info;
  }
  int change(std::uint8_t op, std::uint16_t source, std::uint64_t ident, std::uint32_t flags = 0,
             std::uint32_t what = 0, std::uint64_t udata = 0) {
    kev_change change = {};
    change.op = op;
    change.source = source;
    change.ident = ident;
    change.flags = flags;
    change.what = what;
    change.udata = udata;
    EXPECT_EQ(change.result, 0);
    int failed = kev_submit(queue_, &change, 1);
    EXPECT_EQ(change.result < 0 ? 1 : 0, failed);
    return change.result;
  }

 private:
  kev_queue* queue_ = nullptr;
};

class FormTest : public ::testing::TestWithParam<Form> {
 protected:
  FormTest() {
    if (GetParam().ring) queue.open_ring();
  }
  Queue queue{GetParam().flags, 0, GetParam().outside};
  kev_queue* q = queue.get();
};

inline const Form kForms[] = {
    {"Several", 0, false},
    {"Single", KEV_Q_SINGLE, false},
    {"Ring", KEV_Q_SINGLE | KEV_Q_URING, false},
    {"RingFromTheBeginning", KEV_Q_SINGLE | KEV_Q_URING, false, true},
    {"Outside", 0, true},
    {"SingleOutside", KEV_Q_SINGLE, true}};

#define KEV_FORMS(Test)                                                       \
  INSTANTIATE_TEST_SUITE_P(Form, Test, ::testing::ValuesIn(native::kForms),  \
                           [](const auto& of) { return std::string(of.param.name); })

inline void wait_until(const std::function<bool()>& condition) {
  for (Stopwatch watch; !condition();) {
    ASSERT_LT(watch.elapsed(), 10 * kSecond) << "it does not happen";
    sleep_ns(kMillisecond);
  }
}

}  // namespace native
