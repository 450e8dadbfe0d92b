// A cancellation and what the thread waits for, at once: nothing is lost.
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <atomic>
#include <cstdio>
#include <string>
#include <thread>

#include "canceller_fixture.hpp"
#include "support/descriptor.hpp"
#include "support/stub_call.hpp"
#include "support/target.hpp"

namespace kev::cancel {
namespace {

// A byte and a cancellation come at the same time: the thread has the byte, or the pipe has.
class RaceTest : public CancellerTest {
 protected:
  template <typename Meanwhile>
  void race(int count, Meanwhile meanwhile) {
    Pipe pipe = make_pipe(O_CLOEXEC);
    ASSERT_EQ(0, ::fcntl(pipe.in.get(), F_SETFL, O_NONBLOCK));
    const Descriptor in(::open(("/proc/self/fd/" + std::to_string(pipe.in.get())).c_str(), O_RDONLY | O_CLOEXEC));
    int taken_rounds = 0, cancelled_rounds = 0, lost = 0, twice = 0;
    for (int round = 0; round < count; ++round) {
      std::atomic<bool> ready{false};
      std::atomic<int> taken{0};
      Target reader([&] {
        ready = true;
        char byte;
        const long size = by_stub(SYS_read, in.get(), &byte, 1);
        if (size == 1) ++taken;
      });
      meanwhile(round, ready, reader, pipe.out.get());
      const bool cancelled = reader.join();
      char rest[4];
      const ssize_t left = ::read(pipe.in.get(), rest, sizeof rest);
      const int total = taken + static_cast<int>(left > 0 ? left : 0);
      lost += total < 1;
      twice += total > 1;
      EXPECT_EQ(cancelled, taken == 0) << "round " << round;
      ++(cancelled ? cancelled_rounds : taken_rounds);
    }
    EXPECT_EQ(0, lost);
    EXPECT_EQ(0, twice);
    std::printf("[          ] taken %d, cancelled %d\n", taken_rounds, cancelled_rounds);
    // Otherwise it was no race.
    EXPECT_TRUE(kThreadSanitizer || (taken_rounds > 0 && cancelled_rounds > 0));
  }

  Jitter jitter;
};

TEST_F(RaceTest, TheByteComesFirst) {
  race(rounds(3000), [&](int round, auto& ready, Target& reader, int out) {
    if (round % 2 != 0) wait_for(ready);
    jitter.pass(round % 4 < 2 ? 300 : 20'000);
    put(out);
    jitter.pass(round % 3 == 0 ? 3000 : 1);
    reader.cancel();
  });
}

TEST_F(RaceTest, TheCancellationComesFirst) {
  race(rounds(3000), [&](int round, auto& ready, Target& reader, int out) {
    if (round % 2 != 0) wait_for(ready);
    jitter.pass(round % 4 < 2 ? 300 : 20'000);
    // A quick thread may have gone before the byte comes; let most have the chance.
    if (round % 50 == 0) put(out);
    reader.cancel();
    if (round % 50 != 0) put(out);
  });
}

// The writer is a thread of its own, so that both meet in the middle.
TEST_F(RaceTest, BothComeAtOnce) {
  std::atomic<int> go{-1}, done{-1};
  std::atomic<int> out_fd{-1};
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    Jitter own;
    own.pass(100);
    for (int next = 0; !stop;) {
      if (go < next) {
        ::sched_yield();
        continue;
      }
      own.pass(2000);
      put(out_fd);
      done = next++;
    }
  });
  race(rounds(3000), [&](int round, auto& ready, Target& reader, int out) {
    out_fd = out;
    if (round % 4 != 0) wait_for(ready);
    if (round % 2 != 0) jitter.pass(20'000);
    go = round;
    jitter.pass(4000);
    reader.cancel();
    while (done < round) ::sched_yield();
  });
  stop = true;
  writer.join();
}

// The request comes as the thread says that it is in the stub, and looks: one of the two sees the other.
TEST_F(CancellerTest, TheLookAndTheRequestMeet) {
  Pipe pipe = make_pipe(O_CLOEXEC);
  for (int round = 0; round < rounds(2000); ++round) {
    std::atomic<bool> ready{false}, go{false};
    Target target([&] {
      char byte;
      ready = true;
      while (!go.load(std::memory_order_relaxed)) {
      }
      by_stub(SYS_read, pipe.in.get(), &byte, 1);
      ADD_FAILURE() << "not cancelled";
    });
    wait_for(ready);
    go.store(true);
    for (volatile int i = round % 64; i > 0;) i = i - 1;
    target.cancel();
    EXPECT_TRUE(target.join());
  }
}

}  // namespace
}  // namespace kev::cancel
