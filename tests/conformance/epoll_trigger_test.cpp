// epoll_wait: when an entry is reported: level-triggered, edge-triggered, one-shot, and what travels with it.
//
// Each case runs with few and with many idle entries beside it.
#include <set>

#include "support/epoll_set.hpp"

namespace conformance {
namespace {

class EpollTriggerTest : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    for (std::size_t i = 0; i < idle_.size(); ++i) ASSERT_EQ(0, set.add(idle_[i], EPOLLIN, UINT64_MAX));
  }
  // One wait gives exactly these events for the one entry that is ready; 0 for none.
  ::testing::AssertionResult gives(std::uint32_t events, std::uint64_t data = 0) {
    const auto got = set.wait();
    if (events == 0 && got.empty()) return ::testing::AssertionSuccess();
    if (got.size() == 1 && got[0].events == events && got[0].data.u64 == data) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << got.size() << " events, the first " << (got.empty() ? 0 : got[0].events);
  }
  EpollSet set;

 private:
  IdleDescriptors idle_{static_cast<std::size_t>(GetParam())};
};
INSTANTIATE_TEST_SUITE_P(Beside, EpollTriggerTest, ::testing::Values(0, 3, 40, 300),
                         ::testing::PrintToStringParamName());

TEST_P(EpollTriggerTest, LevelIsReportedAgainUntilItIsGone) {
  const Pipe pipe = make_pipe();
  ASSERT_EQ(0, set.add(pipe.in.get(), EPOLLIN, 1));
  EXPECT_TRUE(gives(0));
  put(pipe.out.get(), "ab");
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(gives(EPOLLIN, 1));
  char byte;
  ASSERT_EQ(1, ::read(pipe.in.get(), &byte, 1));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(gives(EPOLLIN, 1));
  drain(pipe.in.get());
  EXPECT_TRUE(gives(0));
}

TEST_P(EpollTriggerTest, EdgeIsReportedOncePerChange) {
  const Pipe pair = make_socketpair(SOCK_STREAM);
  ASSERT_EQ(0, set.add(pair.in.get(), EPOLLIN | EPOLLET, 1));
  EXPECT_TRUE(gives(0));
  for (int turn = 0; turn < 3; ++turn) {
    put(pair.out.get());  // earlier data is left unread
    EXPECT_TRUE(gives(EPOLLIN, 1));
    EXPECT_TRUE(gives(0));
  }
  ASSERT_EQ(0, set.modify(pair.in.get(), EPOLLIN | EPOLLET, 2));  // arms it again
  EXPECT_TRUE(gives(EPOLLIN, 2));
  EXPECT_TRUE(gives(0));
}

TEST_P(EpollTriggerTest, EdgeThatWasTakenBackIsNotReported) {
  const Descriptor event = make_event();
  ASSERT_EQ(0, set.add(event.get(), EPOLLIN | EPOLLET));
  add_to_event(event.get());
  drain(event.get());
  EXPECT_TRUE(gives(0));
  add_to_event(event.get());
  EXPECT_TRUE(gives(EPOLLIN));
}

TEST_P(EpollTriggerTest, OneShotIsSilentUntilItIsArmedAgain) {
  const Pipe pipe = make_pipe();
  put(pipe.out.get());
  ASSERT_EQ(0, set.add(pipe.in.get(), EPOLLIN | EPOLLONESHOT, 1));
  EXPECT_TRUE(gives(EPOLLIN, 1));
  EXPECT_TRUE(gives(0));
  put(pipe.out.get());
  EXPECT_TRUE(gives(0));
  EXPECT_FAILS(EEXIST, set.add(pipe.in.get(), EPOLLIN));
  ASSERT_EQ(0, set.modify(pipe.in.get(), EPOLLIN | EPOLLONESHOT, 2));
  EXPECT_TRUE(gives(EPOLLIN, 2));
  EXPECT_TRUE(gives(0));
}

TEST_P(EpollTriggerTest, SpentOneShotReportsNoHangUpEither) {
  Pipe pipe = make_pipe();
  put(pipe.out.get());
  ASSERT_EQ(0, set.add(pipe.in.get(), EPOLLIN | EPOLLONESHOT));
  EXPECT_TRUE(gives(EPOLLIN));
  pipe.out.close();
  EXPECT_TRUE(gives(0));
  ASSERT_EQ(0, set.modify(pipe.in.get(), 0));
  EXPECT_TRUE(gives(EPOLLHUP));
}

TEST_P(EpollTriggerTest, HangUpAndErrorNeedNotBeAskedFor) {
  Pipe first = make_pipe();
  Pipe second = make_pipe();
  ASSERT_EQ(0, set.add(first.in.get(), 0, 1));
  first.out.close();
  EXPECT_TRUE(gives(EPOLLHUP, 1));
  ASSERT_EQ(0, set.remove(first.in.get()));
  ASSERT_EQ(0, set.add(second.out.get(), 0, 2));
  second.in.close();
  EXPECT_TRUE(gives(EPOLLERR, 2));
}

TEST_P(EpollTriggerTest, HalfCloseIsReportedIfAskedFor) {
  const Pipe pair = make_socketpair(SOCK_STREAM);
  ASSERT_EQ(0, set.add(pair.in.get(), EPOLLRDHUP));
  EXPECT_TRUE(gives(0));
  ASSERT_EQ(0, ::shutdown(pair.out.get(), SHUT_WR));
  EXPECT_TRUE(gives(EPOLLRDHUP));
  ASSERT_EQ(0, set.modify(pair.in.get(), EPOLLIN | EPOLLRDHUP | EPOLLOUT));
  EXPECT_TRUE(gives(EPOLLIN | EPOLLRDHUP | EPOLLOUT));
}

TEST_P(EpollTriggerTest, DataTravelsUnchanged) {
  for (const std::uint64_t data : {std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{0x123456789abcdef0}}) {
    const Descriptor event = make_event(1);
    ASSERT_EQ(0, set.add(event.get(), EPOLLIN, data));
    EXPECT_TRUE(gives(EPOLLIN, data));
    ASSERT_EQ(0, set.modify(event.get(), EPOLLIN, ~data));
    EXPECT_TRUE(gives(EPOLLIN, ~data));
  }
}

TEST_P(EpollTriggerTest, MoreThanFitsIsReportedInTurns) {
  std::vector<Descriptor> events;
  for (std::uint64_t i = 0; i < 30; ++i) {
    events.push_back(make_event(1));
    ASSERT_EQ(0, set.add(events.back().get(), EPOLLIN, i));
  }
  std::set<std::uint64_t> seen;
  for (int turn = 0; turn < 10; ++turn) {
    const auto got = set.wait(0, 3);
    ASSERT_EQ(3U, got.size());
    for (const epoll_event& event : got) seen.insert(event.data.u64);
  }
  EXPECT_EQ(30U, seen.size());
}

TEST_P(EpollTriggerTest, EdgesThatDoNotFitAreKept) {
  std::vector<Descriptor> events;
  for (std::uint64_t i = 0; i < 10; ++i) {
    events.push_back(make_event(1));
    ASSERT_EQ(0, set.add(events.back().get(), EPOLLIN | EPOLLET, i));
  }
  std::set<std::uint64_t> seen;
  for (int turn = 0; turn < 4; ++turn)
    for (const epoll_event& event : set.wait(0, 3)) EXPECT_TRUE(seen.insert(event.data.u64).second);
  EXPECT_EQ(10U, seen.size());
  EXPECT_TRUE(gives(0));
}

TEST_P(EpollTriggerTest, DuplicateIsAnEntryOfItsOwn) {
  const Pipe pipe = make_pipe();
  const Descriptor duplicate(::dup(pipe.in.get()));
  ASSERT_EQ(0, set.add(pipe.in.get(), EPOLLIN, 1));
  ASSERT_EQ(0, set.add(duplicate.get(), EPOLLIN, 2));
  put(pipe.out.get());
  EXPECT_EQ(2, set.count());
}

TEST_P(EpollTriggerTest, CloseOfTheLastDescriptorRemovesTheEntry) {
  Pipe pipe = make_pipe();
  put(pipe.out.get());
  ASSERT_EQ(0, set.add(pipe.in.get(), EPOLLIN, 1));
  EXPECT_TRUE(gives(EPOLLIN, 1));
  Descriptor duplicate(::dup(pipe.in.get()));
  const int number = pipe.in.get();
  pipe.in.close();
  EXPECT_TRUE(gives(EPOLLIN, 1));  // the file lives, so does the entry
  EXPECT_FAILS(EBADF, set.remove(number));
  EXPECT_FAILS(ENOENT, set.remove(duplicate.get()));
  duplicate.close();
  EXPECT_TRUE(gives(0));
}

TEST_P(EpollTriggerTest, ReusedNumberIsANewEntry) {
  Pipe first = make_pipe();
  put(first.out.get());
  const Descriptor keeper(::dup(first.in.get()));
  ASSERT_EQ(0, set.add(first.in.get(), EPOLLIN, 1));
  const Pipe second = make_pipe();
  ASSERT_EQ(first.in.get(), ::dup2(second.in.get(), first.in.get()));
  ASSERT_EQ(0, set.add(first.in.get(), EPOLLIN, 2));  // the same number, another file
  EXPECT_TRUE(gives(EPOLLIN, 1));
  put(second.out.get());
  EXPECT_EQ(2, set.count());
  ASSERT_EQ(0, set.remove(first.in.get()));
  EXPECT_TRUE(gives(EPOLLIN, 1));
}

TEST_P(EpollTriggerTest, NestedSetIsReadableWhileItsEntryIs) {
  const EpollSet inner;
  const Descriptor event = make_event();
  ASSERT_EQ(0, inner.add(event.get(), EPOLLIN));
  ASSERT_EQ(0, set.add(inner.get(), EPOLLIN, 9));
  EXPECT_TRUE(gives(0));
  add_to_event(event.get());
  EXPECT_TRUE(gives(EPOLLIN, 9));
  EXPECT_TRUE(gives(EPOLLIN, 9));
  drain(event.get());
  EXPECT_TRUE(gives(0));
}

}  // namespace
}  // namespace conformance
