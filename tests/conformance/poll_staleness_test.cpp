// poll: descriptors that are closed between two calls with the same array.
//
// The entry must say POLLNVAL, whichever way the descriptor was closed and whoever else keeps its file open. A close
// that no function of libc saw may be noticed late (a few milliseconds), but the old file's events must never be
// reported under the number meanwhile: the program would block in the read that follows.
#include <sys/types.h>

#include "support/child.hpp"
#include "support/closers.hpp"
#include "support/padded_array.hpp"

namespace conformance {
namespace {

using Case = std::tuple<Shape, Closer>;

class PollStalenessTest : public ::testing::TestWithParam<Case> {
 protected:
  void close_by(int fd) const { closer_.close(fd); }
  // POLLNVAL must be seen: at once if the close could be, else soon.
  ::testing::AssertionResult becomes(const std::vector<short>& expected, const std::vector<short>& meanwhile) {
    ::testing::AssertionResult first =
        closer_.seen ? array.answers(expected) : array.comes_to_answer(expected, meanwhile);
    return first ? array.keeps_answering(expected) : first;
  }
  PaddedArray array{std::get<0>(GetParam())};
  const Closer closer_ = std::get<1>(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Array, PollStalenessTest,
                         ::testing::Combine(::testing::ValuesIn(kFewShapes), ::testing::ValuesIn(kClosers)),
                         [](const ::testing::TestParamInfo<Case>& which) {
                           return std::string(std::get<0>(which.param).name) + "By" + std::get<1>(which.param).name;
                         });

TEST_P(PollStalenessTest, IdleDescriptorThatWasClosedIsInvalid) {
  Pipe pair = make_socketpair(SOCK_STREAM);
  array.add(pair.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  close_by(pair.in.release());
  EXPECT_TRUE(becomes({POLLNVAL}, {0}));
}

TEST_P(PollStalenessTest, ReadyDescriptorThatWasClosedIsInvalid) {
  Pipe pair = make_socketpair(SOCK_STREAM);
  put(pair.out.get());
  array.add(pair.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({POLLIN}));
  close_by(pair.in.release());
  EXPECT_TRUE(becomes({POLLNVAL}, {0}));
}

TEST_P(PollStalenessTest, ClosedDescriptorIsInvalidWhileADuplicateIsReady) {
  Pipe pair = make_socketpair(SOCK_STREAM);
  const Descriptor duplicate(::fcntl(pair.in.get(), F_DUPFD_CLOEXEC, 0));
  array.add(pair.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  close_by(pair.in.release());
  put(pair.out.get());  // the file is alive, and ready
  EXPECT_TRUE(becomes({POLLNVAL}, {0}));
  array.subject(0).fd = duplicate.get();
  EXPECT_TRUE(array.keeps_answering({POLLIN}));
}

TEST_P(PollStalenessTest, ClosedDescriptorIsInvalidWhileAChildHoldsItsFile) {
  Pipe pair = make_socketpair(SOCK_STREAM);
  array.add(pair.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  const Pipe leash = make_pipe(O_CLOEXEC);
  const pid_t child = start_child([&] {
    char byte;
    REQUIRE_IN_CHILD(::read(leash.in.get(), &byte, 1) == 1);
  });
  close_by(pair.in.release());
  put(pair.out.get());
  EXPECT_TRUE(becomes({POLLNVAL}, {0}));
  put(leash.out.get());
  EXPECT_EQ(0, status_of(child));
}

TEST_P(PollStalenessTest, ClosedDescriptorIsInvalidBesideOneThatIsAlwaysReady) {
  Pipe pair = make_socketpair(SOCK_STREAM);
  const Descriptor busy = make_event(1);
  array.add(busy.get(), POLLIN);
  array.add(pair.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({POLLIN, 0}));
  close_by(pair.in.release());
  EXPECT_TRUE(becomes({POLLIN, POLLNVAL}, {POLLIN, 0}));
}

TEST_P(PollStalenessTest, ClosedDescriptorEndsAWaitAtOnce) {
  Pipe pair = make_socketpair(SOCK_STREAM);
  array.add(pair.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  close_by(pair.in.release());
  const Stopwatch watch;
  EXPECT_TRUE(array.answers({POLLNVAL}, 20'000));
  EXPECT_TRUE(watch.prompt());
}

TEST_P(PollStalenessTest, EveryEntryOfAClosedDescriptorIsInvalid) {
  Pipe pair = make_socketpair(SOCK_STREAM);
  array.add(pair.in.get(), POLLIN);
  array.add(pair.out.get(), POLLIN);
  array.add(pair.in.get(), 0);
  EXPECT_TRUE(array.keeps_answering({0, 0, 0}));
  close_by(pair.in.release());
  EXPECT_TRUE(becomes({POLLNVAL, POLLIN | POLLHUP, POLLNVAL}, {0, POLLIN | POLLHUP, 0}));
}

TEST_P(PollStalenessTest, ClosedNumberThatReturnsIsWatchedAgain) {
  for (int turn = 0; turn < 3; ++turn) {
    Pipe pair = make_socketpair(SOCK_STREAM);
    if (turn == 0) {
      array.add(pair.in.get(), POLLIN);
    } else if (pair.in.get() != array.subject(0).fd) {
      ASSERT_EQ(array.subject(0).fd, ::dup3(pair.in.get(), array.subject(0).fd, O_CLOEXEC));
      pair.in = Descriptor(array.subject(0).fd);
    }
    EXPECT_TRUE(array.keeps_answering({0}));
    put(pair.out.get());
    EXPECT_TRUE(array.keeps_answering({POLLIN}));
    close_by(pair.in.release());
    EXPECT_TRUE(becomes({POLLNVAL}, {0}));
  }
}

class PollCloseTest : public ArrayTest {};
CONFORMANCE_EVERY_SHAPE(PollCloseTest);

TEST_P(PollCloseTest, NumberThatWasNeverOpenIsInvalid) {
  array.add(1'000'000, POLLIN);
  array.add(INT32_MAX, 0);
  EXPECT_TRUE(array.keeps_answering({POLLNVAL, POLLNVAL}));
}

TEST_P(PollCloseTest, InvalidEntryEndsAWaitAtOnceEachTime) {
  Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  pipe.in.close();
  const Stopwatch watch;
  for (int round = 0; round < kRounds; ++round) EXPECT_TRUE(array.answers({POLLNVAL}, 60'000));
  EXPECT_TRUE(watch.prompt());
}

TEST_P(PollCloseTest, ClosefromInvalidatesEverythingAbove) {
  expect_in_child([&] {
    const Pipe pipe = make_pipe();
    array.add(pipe.in.get(), POLLIN);
    REQUIRE_IN_CHILD(array.keeps_answering({0}));
    ::closefrom(3);
    for (int round = 0; round < kRounds; ++round) {
      REQUIRE_IN_CHILD(array.call() == static_cast<int>(array.size()));
      for (const pollfd& entry : array.entries()) REQUIRE_IN_CHILD(entry.revents == POLLNVAL);
    }
    const Pipe fresh = make_pipe();
    for (pollfd& entry : array.entries()) entry.fd = fresh.in.get();
    REQUIRE_IN_CHILD(array.call() == 0);
    put(fresh.out.get());
    for (int round = 0; round < kRounds; ++round) REQUIRE_IN_CHILD(array.call() == static_cast<int>(array.size()));
  });
}

TEST_P(PollCloseTest, LoopOverEveryNumberInvalidatesEverything) {
  expect_in_child([&] {
    array.add(array.size() ? array.idle()[0] : make_event().release(), POLLIN);
    REQUIRE_IN_CHILD(array.keeps_answering({0}));
    for (int fd = 3; fd < 1024; ++fd) ::close(fd);
    for (int round = 0; round < kRounds; ++round) {
      REQUIRE_IN_CHILD(array.call() == static_cast<int>(array.size()));
      for (const pollfd& entry : array.entries()) REQUIRE_IN_CHILD(entry.revents == POLLNVAL);
    }
  });
}

TEST_P(PollCloseTest, PopenedPipeIsInvalidAfterPclose) {
  FILE* stream = ::popen("exec cat", "w");
  ASSERT_NE(nullptr, stream);
  array.add(::fileno(stream), POLLOUT);
  EXPECT_TRUE(array.keeps_answering({POLLOUT}));
  EXPECT_EQ(0, ::pclose(stream));
  EXPECT_TRUE(array.keeps_answering({POLLNVAL}));
}

TEST_P(PollCloseTest, ReopenedStreamHasANewFileUnderItsNumber) {
  Pipe pipe = make_pipe(O_CLOEXEC);
  FILE* stream = ::fdopen(pipe.in.release(), "r");
  const int number = ::fileno(stream);
  array.add(number, POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  stream = ::freopen("/dev/null", "r", stream);
  ASSERT_NE(nullptr, stream);
  EXPECT_EQ(number, ::fileno(stream));
  EXPECT_TRUE(array.keeps_answering({POLLIN}));
  ::fclose(stream);
  EXPECT_TRUE(array.keeps_answering({POLLNVAL}));
}

TEST_P(PollCloseTest, CloseOnExecByCloseRangeClosesNothingYet) {
  Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  const auto number = static_cast<unsigned>(pipe.in.get());
  if (::close_range(number, number, CLOSE_RANGE_CLOEXEC) != 0)
    GTEST_SKIP() << "no CLOSE_RANGE_CLOEXEC here (it came with Linux 5.11): errno " << errno;
  put(pipe.out.get());
  EXPECT_TRUE(array.keeps_answering({POLLIN}));
}

TEST_P(PollCloseTest, FailedCloseChangesNothing) {
  Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  EXPECT_EQ(-1, ::close(-1));
  EXPECT_EQ(EBADF, errno);
  EXPECT_EQ(-1, ::dup2(-1, pipe.in.get()));
  EXPECT_EQ(-1, ::dup3(pipe.in.get(), pipe.in.get(), 0));
  EXPECT_EQ(pipe.in.get(), ::dup2(pipe.in.get(), pipe.in.get()));
  EXPECT_EQ(-1, ::close_range(9, 3, 0));
  put(pipe.out.get());
  EXPECT_TRUE(array.keeps_answering({POLLIN}));
}

TEST_P(PollCloseTest, IdleEntriesThatAreClosedAreInvalidTogether) {
  IdleDescriptors more(20);
  for (std::size_t i = 0; i < more.size(); ++i) array.add(more[i], POLLIN);
  std::vector<short> expected(more.size(), 0);
  EXPECT_TRUE(array.keeps_answering(expected));
  for (std::size_t i = 1; i < more.size(); i += 3) {
    ::close(more[i]);
    expected[i] = POLLNVAL;
  }
  // Partners of closed sockets hang up: the kernel itself says who.
  EXPECT_TRUE(array.keeps_agreeing());
  for (std::size_t i = 1; i < more.size(); i += 3) {
    EXPECT_EQ(POLLNVAL, array.subject(i).revents);
    ASSERT_EQ(more[i], ::fcntl(more[0], F_DUPFD_CLOEXEC, more[i]));  // give it back for the end
  }
}

}  // namespace
}  // namespace conformance
