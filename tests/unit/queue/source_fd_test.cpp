// Descriptors in a queue: level, edge, once, dispatch, re-check, data.
#include <kev/kev.h>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "support/native_queue.hpp"

namespace {

using namespace native;

class SourceFdTest : public FormTest {
 protected:
  Pipe pipe = make_pipe();
  int in = pipe.in.get();
  std::uint64_t ident = static_cast<std::uint64_t>(in);
};
KEV_FORMS(SourceFdTest);

TEST_P(SourceFdTest, ReportsReadinessWithWhatWasRegistered) {
  ASSERT_EQ(0, kev_add_fd(q, in, KEV_IN, 0, 42));
  EXPECT_EQ(0u, queue.wait().size());
  put(pipe.out.get());
  auto events = queue.wait();
  ASSERT_EQ(1u, events.size());
  EXPECT_EQ(ident, events[0].ident);
  EXPECT_EQ(42u, events[0].udata);
  EXPECT_EQ(KEV_SOURCE_FD, events[0].source);
  EXPECT_EQ(KEV_IN, events[0].what);
  EXPECT_EQ(KEV_IN, events[0].data[0]);
  EXPECT_EQ(0, events[0].result);
  EXPECT_EQ(0u, events[0].flags);
  EXPECT_EQ(0u, events[0].time_ns);
}

TEST_P(SourceFdTest, ReportsALevelForAsLongAsItStands) {
  ASSERT_EQ(0, kev_add_fd(q, in, KEV_IN, 0, 0));
  put(pipe.out.get());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(1u, queue.wait().size());
  drain(in);
  EXPECT_EQ(0u, queue.wait().size());
}

TEST_P(SourceFdTest, ReportsAnEdgeOnce) {
  ASSERT_EQ(0, kev_add_fd(q, in, KEV_IN, KEV_EDGE, 0));
  put(pipe.out.get());
  EXPECT_EQ(1u, queue.wait().size());
  EXPECT_EQ(0u, queue.wait().size());
  put(pipe.out.get());
  EXPECT_EQ(1u, queue.wait().size());
}

TEST_P(SourceFdTest, ReportsAOneshotOnceAndForgetsIt) {
  ASSERT_EQ(0, kev_add_fd(q, in, KEV_IN, KEV_ONESHOT, 0));
  put(pipe.out.get());
  auto events = queue.wait();
  ASSERT_EQ(1u, events.size());
  EXPECT_EQ(KEV_E_LAST, events[0].flags);
  EXPECT_EQ(0u, queue.wait().size());
  EXPECT_EQ(-ENOENT, kev_delete(q, KEV_SOURCE_FD, ident));
  EXPECT_EQ(0, kev_add_fd(q, in, KEV_IN, 0, 0));
  EXPECT_EQ(1u, queue.wait().size());
}

TEST_P(SourceFdTest, DispatchIsSilentUntilItIsEnabled) {
  ASSERT_EQ(0, kev_add_fd(q, in, KEV_IN, KEV_DISPATCH, 0));
  put(pipe.out.get());
  EXPECT_EQ(1u, queue.wait().size());
  EXPECT_EQ(0u, queue.wait().size());
  EXPECT_EQ(0, queue.change(KEV_ENABLE, KEV_SOURCE_FD, ident));
  EXPECT_EQ(1u, queue.wait().size());
  EXPECT_EQ(0u, queue.wait().size());
}

TEST_P(SourceFdTest, IsSilentWhileDisabledEvenForHangUps) {
  ASSERT_EQ(0, kev_add_fd(q, in, KEV_IN, 0, 0));
  EXPECT_EQ(0, queue.change(KEV_DISABLE, KEV_SOURCE_FD, ident));
  put(pipe.out.get());
  EXPECT_EQ(0u, queue.wait().size());
  pipe.out.close();
  EXPECT_EQ(0u, queue.wait().size());
  EXPECT_EQ(0, queue.change(KEV_ENABLE, KEV_SOURCE_FD, ident));
  auto events = queue.wait();
  ASSERT_EQ(1u, events.size());
  EXPECT_EQ(KEV_IN | KEV_HUP, events[0].what);
  EXPECT_EQ(KEV_E_EOF, events[0].flags);
}

TEST_P(SourceFdTest, ChangesWhatItWaitsForAndWhatItCarries) {
  Descriptor event = make_event(1);
  ASSERT_EQ(0, kev_add_fd(q, event.get(), KEV_PRI, 0, 1));
  EXPECT_EQ(0u, queue.wait().size());
  EXPECT_EQ(0, queue.change(KEV_MOD, KEV_SOURCE_FD, static_cast<std::uint64_t>(event.get()), 0, KEV_IN | KEV_OUT, 2));
  auto events = queue.wait();
  ASSERT_EQ(1u, events.size());
  EXPECT_EQ(KEV_IN | KEV_OUT, events[0].what);
  EXPECT_EQ(2u, events[0].udata);
}

TEST_P(SourceFdTest, RechecksWhatWasReadSinceItWasFound) {
  if (GetParam().outside) GTEST_SKIP() << "what stands in the ring there is looked at more often";
  ASSERT_EQ(0, kev_add_fd(q, in, KEV_IN, KEV_RECHECK | KEV_EDGE, 0));
  put(pipe.out.get());
  // Into the ring, by a sleep that takes nothing.
  EXPECT_EQ(1, kev_sleep(q, kev_index(q), nullptr, nullptr));
  drain(in);
  EXPECT_EQ(0u, queue.wait().size());
  put(pipe.out.get());
  EXPECT_EQ(1u, queue.wait().size());
}

TEST_P(SourceFdTest, TellsBytesErrorsAndBacklogWhenAsked) {
  ASSERT_EQ(0, kev_add_fd(q, in, KEV_IN, KEV_DATA, 0));
  ASSERT_EQ(5, ::write(pipe.out.get(), "hello", 5));
  auto events = queue.wait();
  ASSERT_EQ(1u, events.size());
  EXPECT_EQ(5, events[0].result);
  EXPECT_EQ(0, kev_delete(q, KEV_SOURCE_FD, ident));

  Descriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(0, ::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address));
  ASSERT_EQ(0, ::listen(listener.get(), 5));
  ASSERT_EQ(0, ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size));
  ASSERT_EQ(0, kev_add_fd(q, listener.get(), KEV_IN, KEV_DATA, 0));
  Descriptor clients[2] = {Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
                           Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))};
  for (Descriptor& client : clients)
    ASSERT_EQ(0, ::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address));
  events = queue.wait(kSecond);
  ASSERT_EQ(1u, events.size());
  EXPECT_EQ(2u, events[0].data[2]);
}

TEST_P(SourceFdTest, ReportsManyInTurn) {
  std::vector<Descriptor> watched;
  for (unsigned i = 0; i < 300; ++i) {
    watched.push_back(make_event(1));
    ASSERT_EQ(0, kev_add_fd(q, watched.back().get(), KEV_IN, 0, i));
  }
  std::vector<int> times(300);
  for (int round = 0; round < 100; ++round)
    for (const kev_event& event : queue.wait(0, 7)) ++times[event.udata];
  for (int n : times) EXPECT_LE(1, n);
}

TEST_P(SourceFdTest, SleepsUntilThereIsAnEvent) {
  ASSERT_EQ(0, kev_add_fd(q, in, KEV_IN, 0, 0));
  for (int i = 0; i < 3; ++i) {
    std::thread later([&] {
      wait_until([&] { return queue.info().waiters == 1; });
      put(pipe.out.get());
    });
    EXPECT_EQ(1u, queue.wait(10 * kSecond).size());
    later.join();
    drain(in);
    EXPECT_EQ(0u, queue.wait(kMillisecond).size());
  }
}

TEST_P(SourceFdTest, TellsTheTimeWhenAsked) {
  Queue timed(GetParam().flags | KEV_Q_TIME, 0, GetParam().outside);
  ASSERT_EQ(0, kev_add_fd(timed.get(), in, KEV_IN, 0, 0));
  std::int64_t before = now_ns();
  put(pipe.out.get());
  auto events = timed.wait();
  ASSERT_EQ(1u, events.size());
  EXPECT_LE(before, static_cast<std::int64_t>(events[0].time_ns));
  EXPECT_GE(now_ns(), static_cast<std::int64_t>(events[0].time_ns));
}

}  // namespace
