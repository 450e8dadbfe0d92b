// Signals in a queue: sender, value, order, and what kev_detail adds.
#include <kev/kev.h>

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "support/native_queue.hpp"
#include "support/signals.hpp"

namespace {

using namespace native;

class SourceSignalTest : public FormTest {
 protected:
  int signal = SIGRTMIN + 3;
  Blocked blocked{signal}, blocked_too{SIGUSR1};
  std::uint64_t ident = static_cast<std::uint64_t>(signal);

  void raise_with(int value) {
    sigval with;
    with.sival_ptr = reinterpret_cast<void*>(static_cast<std::intptr_t>(value));
    ASSERT_EQ(0, ::sigqueue(::getpid(), signal, with));
  }
};
KEV_FORMS(SourceSignalTest);

TEST_P(SourceSignalTest, TellsWhoSentItAndWhatItCarries) {
  ASSERT_EQ(0, kev_add_signal(q, signal, 0, 3));
  EXPECT_EQ(0u, queue.wait().size());
  for (int i = 1; i <= 3; ++i) raise_with(i);
  auto events = queue.wait();
  ASSERT_EQ(3u, events.size());
  for (unsigned i = 0; i < 3; ++i) {
    EXPECT_EQ(signal, events[i].result);
    EXPECT_EQ(KEV_RAISED, events[i].what);
    EXPECT_EQ(static_cast<std::uint64_t>(::getpid()), events[i].data[0] & 0xffffffff);
    EXPECT_EQ(::getuid(), events[i].data[0] >> 32);
    EXPECT_EQ(SI_QUEUE, static_cast<int>(events[i].data[1]));
    EXPECT_EQ(i + 1, events[i].data[2]);
    EXPECT_EQ(3u, events[i].udata);
  }
}

TEST_P(SourceSignalTest, GivesTheWholeOfItToWhoClaims) {
  ASSERT_EQ(0, kev_add_signal(q, signal, 0, 0));
  raise_with(9);
  kev_claim claim;
  EXPECT_EQ(1, kev_sleep(q, kev_index(q), nullptr, nullptr));
  ASSERT_EQ(1, kev_claim_events(q, 4, &claim));
  EXPECT_EQ(KEV_E_MORE, claim.events[0].flags);
  siginfo_t info = {};
  EXPECT_EQ(static_cast<int>(sizeof info), kev_detail(q, &claim, 0, &info, sizeof info));
  EXPECT_EQ(signal, info.si_signo);
  EXPECT_EQ(SI_QUEUE, info.si_code);
  EXPECT_EQ(::getpid(), info.si_pid);
  EXPECT_EQ(-EINVAL, kev_detail(q, &claim, 1, &info, sizeof info));
  EXPECT_EQ(static_cast<int>(sizeof info), kev_detail(q, &claim, 0, nullptr, 0));
  kev_claim copy = claim;
  EXPECT_EQ(0, kev_commit(q, &claim));
  EXPECT_EQ(-EINVAL, kev_detail(q, &copy, 0, &info, sizeof info));
}

TEST_P(SourceSignalTest, LosesNoneOfManyInASmallRing) {
  Queue small(GetParam().flags, 2, GetParam().outside);
  ASSERT_EQ(0, kev_add_signal(small.get(), signal, 0, 0));
  for (int i = 0; i < 50; ++i) raise_with(i);
  std::uint64_t next = 0;
  while (next < 50) {
    auto events = small.wait(10 * kSecond);
    ASSERT_FALSE(events.empty());
    for (const kev_event& event : events) EXPECT_EQ(next++, event.data[2]);
  }
}

TEST_P(SourceSignalTest, LeavesADisabledOneToTheKernel) {
  ASSERT_EQ(0, kev_add_signal(q, signal, 0, 0));
  ASSERT_EQ(0, kev_add_signal(q, SIGUSR1, 0, 0));
  EXPECT_EQ(0, queue.change(KEV_DISABLE, KEV_SOURCE_SIGNAL, ident));
  raise_with(1);
  EXPECT_EQ(0u, queue.wait().size());
  EXPECT_TRUE(is_pending(signal));
  EXPECT_EQ(0, queue.change(KEV_ENABLE, KEV_SOURCE_SIGNAL, ident));
  EXPECT_EQ(1u, queue.wait().size());
  EXPECT_EQ(0, kev_delete(q, KEV_SOURCE_SIGNAL, ident));
  raise_with(2);
  EXPECT_EQ(0u, queue.wait().size());
  const sigset_t set = set_of(signal);
  EXPECT_EQ(signal, ::sigwaitinfo(&set, nullptr));
}

}  // namespace
