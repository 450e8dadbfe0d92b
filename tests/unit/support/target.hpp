// A thread to be cancelled, whose end is waited for no longer than a test may take.
#pragma once

#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>

#include "../../support/jitter.hpp"
#include "cancel/canceller.hpp"

namespace unit {

using test_support::Jitter;

// The test cannot go on.
[[noreturn]] inline void give_up(const char* what) {
  std::fprintf(stderr, "%s: %s\n", ::testing::UnitTest::GetInstance()->current_test_info() == nullptr
                                       ? ""
                                       : ::testing::UnitTest::GetInstance()->current_test_info()->name(),
               what);
  std::fflush(stderr);
  std::abort();
}

class Target {
 public:
  static constexpr int kSeconds = 10;

  explicit Target(std::function<void()> body) : body_(std::move(body)) {
    if (::pthread_create(&thread_, nullptr, run, this) != 0) give_up("no thread");
#ifdef __SANITIZE_THREAD__
    // It takes the clearing of a new thread's local storage for a write by that thread.
    while (!has_begun_.load()) ::sched_yield();
#endif
  }
  ~Target() {
    if (!joined_) join();
  }
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  pthread_t thread() const { return thread_; }
  int cancel() const { return kev::cancel::cancel(thread_); }

  // Whether it was cancelled. A thread that does not end is a failure of the test program.
  bool join() {
    timespec until;
    ::clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += kSeconds;
    void* result = nullptr;
    if (::pthread_timedjoin_np(thread_, &result, &until) != 0) give_up("a thread does not end");
    joined_ = true;
    return result == PTHREAD_CANCELED;
  }

 private:
  static void* run(void* argument) {
    auto* target = static_cast<Target*>(argument);
    target->has_begun_.store(true);
    target->body_();
    return nullptr;
  }

  std::function<void()> body_;
  std::atomic<bool> has_begun_{false};
  pthread_t thread_;
  bool joined_ = false;
};

// State and type as a program under the shim sets them.
inline void set_state(int state) {
  kev::cancel::state_changes(state);
  ::pthread_setcancelstate(state, nullptr);
  kev::cancel::state_changed(state);
}
inline void disable() { set_state(PTHREAD_CANCEL_DISABLE); }
inline void enable() { set_state(PTHREAD_CANCEL_ENABLE); }
inline void set_type(int type) { ::pthread_setcanceltype(type, nullptr); }

inline void wait_for(const std::atomic<bool>& flag) {
  while (!flag.load()) ::sched_yield();
}

}  // namespace unit
