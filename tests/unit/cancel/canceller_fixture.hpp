// What the tests of cancellation by other threads share.
#pragma once

#include <gtest/gtest.h>

#include "cancel/canceller.hpp"
#include "cancel/record.hpp"
#include "process/quiet.hpp"
#include "support/descriptor.hpp"
#include "support/libc_cancel.hpp"
#include "support/stub_call.hpp"
#include "support/target.hpp"

namespace kev::cancel {

using namespace conformance;
using namespace unit;

#ifdef __SANITIZE_THREAD__
inline constexpr bool kThreadSanitizer = true;
#else
inline constexpr bool kThreadSanitizer = false;
#endif

// Fewer where each step takes longer.
constexpr int rounds(int count) { return kThreadSanitizer ? count / 10 : count; }

class CancellerTest : public ::testing::Test {
 protected:
  CancellerTest() {
    connect_libc();
    process::quiet = false;  // as in a process that no filter watches
    before_first_thread();
  }
  void SetUp() override {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "AddressSanitizer takes a stack that was unwound by cancellation for one in use";
#endif
  }
  ~CancellerTest() override { libc = {}; }

  // Until `thread` is in a call of the stub; it may not be asleep yet.
  static void wait_until_inside(pthread_t thread) {
    while (record_of(thread).inside.load() == 0) ::sched_yield();
  }
};

}  // namespace kev::cancel
