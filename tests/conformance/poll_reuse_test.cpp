// poll: numbers that come to mean another file between two calls with the same array.
//
// The array looks the same, but its answer must be the new file's. Where no function of libc saw the change it may come
// late; the old file's events must not be reported under the number at any time.
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "support/child.hpp"
#include "support/closers.hpp"
#include "support/padded_array.hpp"

namespace conformance {
namespace {

using Case = std::tuple<Shape, Replacer>;

class PollReuseTest : public ::testing::TestWithParam<Case> {
 protected:
  // Replaces the file under the number that `at` holds; `at` owns the number before and after.
  void replace(const Descriptor& at, const Descriptor& from) const { replacer_.replace(from.get(), at.get()); }
  ::testing::AssertionResult becomes(const std::vector<short>& expected, const std::vector<short>& meanwhile) {
    ::testing::AssertionResult first =
        replacer_.seen ? array.answers(expected) : array.comes_to_answer(expected, meanwhile);
    return first ? array.keeps_answering(expected) : first;
  }
  PaddedArray array{std::get<0>(GetParam())};
  const Replacer replacer_ = std::get<1>(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Array, PollReuseTest,
                         ::testing::Combine(::testing::ValuesIn(kFewShapes), ::testing::ValuesIn(kReplacers)),
                         [](const ::testing::TestParamInfo<Case>& which) {
                           return std::string(std::get<0>(which.param).name) + "By" + std::get<1>(which.param).name;
                         });

TEST_P(PollReuseTest, IdleFileReplacedByAReadyOneOfTheSameKind) {
  const Pipe first = make_pipe();
  const Pipe second = make_pipe();
  put(second.out.get());
  array.add(first.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  replace(first.in, second.in);
  EXPECT_TRUE(becomes({POLLIN}, {0}));
  drain(second.in.get());
  EXPECT_TRUE(array.keeps_answering({0}));
}

TEST_P(PollReuseTest, IdleFileReplacedByAReadyOneOfAnotherKind) {
  const Pipe first = make_pipe();
  const Descriptor event = make_event(1);
  array.add(first.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  replace(first.in, event);
  EXPECT_TRUE(becomes({POLLIN}, {0}));
  drain(event.get());
  EXPECT_TRUE(array.keeps_answering({0}));
}

TEST_P(PollReuseTest, FileReplacedByOneThatIsAlwaysReady) {
  const Pipe first = make_pipe();
  const Descriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  array.add(first.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  replace(first.in, null);
  EXPECT_TRUE(becomes({POLLIN}, {0}));
}

TEST_P(PollReuseTest, FileThatIsAlwaysReadyReplacedByAnIdleOne) {
  const Descriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const Pipe pipe = make_pipe();
  array.add(null.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({POLLIN}));
  replace(null, pipe.in);
  EXPECT_TRUE(array.keeps_answering({0}));
  put(pipe.out.get());
  EXPECT_TRUE(array.keeps_answering({POLLIN}));
}

TEST_P(PollReuseTest, ReadyFileThatLivesOnIsNotReportedForTheIdleOneInItsPlace) {
  const Pipe first = make_pipe();
  const Pipe second = make_pipe();
  const Descriptor duplicate(::dup(first.in.get()));
  array.add(first.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  put(first.out.get());
  EXPECT_TRUE(array.answers({POLLIN}));
  replace(first.in, second.in);
  EXPECT_TRUE(array.keeps_answering({0}));
  put(second.out.get());
  EXPECT_TRUE(becomes({POLLIN}, {0}));
  drain(second.in.get());
  EXPECT_TRUE(array.keeps_answering({0}));
}

TEST_P(PollReuseTest, OldFileThatBecomesReadyLaterIsNotReported) {
  const Pipe first = make_pipe();
  const Pipe second = make_pipe();
  const Descriptor duplicate(::dup(first.in.get()));
  array.add(first.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  replace(first.in, second.in);
  put(first.out.get());
  EXPECT_TRUE(array.keeps_answering({0}));
  const Stopwatch watch;
  EXPECT_TRUE(array.answers({0}, 15));
  EXPECT_TRUE(watch.in_time(15 * kMillisecond));
  array.add(duplicate.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0, POLLIN}));
}

TEST_P(PollReuseTest, SleepEndsWhenTheNewFileIsReady) {
  const Pipe first = make_pipe();
  const Descriptor timer(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  const itimerspec soon{{0, 0}, {0, 20'000'000}};
  array.add(first.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  const Stopwatch watch;
  ASSERT_EQ(0, ::timerfd_settime(timer.get(), 0, &soon, nullptr));
  replace(first.in, timer);
  EXPECT_TRUE(array.answers({POLLIN}, 20'000));
  EXPECT_TRUE(watch.in_time(20 * kMillisecond));
}

TEST_P(PollReuseTest, OneFileMayReplaceAnotherOfTheSameArray) {
  const Pipe first = make_pipe();
  const Pipe second = make_pipe();
  put(second.out.get());
  array.add(first.in.get(), POLLIN);
  array.add(second.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0, POLLIN}));
  replace(first.in, second.in);
  EXPECT_TRUE(becomes({POLLIN, POLLIN}, {0, POLLIN}));
  drain(second.in.get());
  EXPECT_TRUE(array.keeps_answering({0, 0}));
}

TEST_P(PollReuseTest, NumberMayChangeItsFileAgainAndAgain) {
  const Pipe first = make_pipe();
  array.add(first.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  for (int turn = 0; turn < 8; ++turn) {
    const Descriptor event = make_event(turn % 2);
    const Pipe pipe = make_pipe();
    replace(first.in, event);
    const short expected = turn % 2 ? POLLIN : 0;
    EXPECT_TRUE(becomes({expected}, {0}));
    replace(first.in, pipe.in);
    EXPECT_TRUE(array.keeps_answering({0}));
  }
}

class PollDuplicateTest : public ArrayTest {};
CONFORMANCE_EVERY_SHAPE(PollDuplicateTest);

TEST_P(PollDuplicateTest, DuplicatesAreReportedEach) {
  const Pipe pipe = make_pipe();
  Descriptor duplicate(::dup(pipe.in.get()));
  array.add(pipe.in.get(), POLLIN);
  array.add(duplicate.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0, 0}));
  put(pipe.out.get());
  EXPECT_TRUE(array.keeps_answering({POLLIN, POLLIN}));
  duplicate.close();
  EXPECT_TRUE(array.keeps_answering({POLLIN, POLLNVAL}));
}

TEST_P(PollDuplicateTest, ClosedOriginalLeavesItsDuplicateAlone) {
  Pipe pipe = make_pipe();
  const Descriptor duplicate(::fcntl(pipe.in.get(), F_DUPFD, 100));
  array.add(pipe.in.get(), POLLIN);
  array.add(duplicate.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0, 0}));
  pipe.in.close();
  EXPECT_TRUE(array.keeps_answering({POLLNVAL, 0}));
  put(pipe.out.get());
  EXPECT_TRUE(array.keeps_answering({POLLNVAL, POLLIN}));
}

TEST_P(PollDuplicateTest, SameNumberAndSameFileAgainIsWatchedAgain) {
  Pipe pipe = make_pipe();
  const Descriptor spare(::dup(pipe.in.get()));
  array.add(pipe.in.get(), POLLIN);
  for (int turn = 0; turn < 4; ++turn) {
    EXPECT_TRUE(array.keeps_answering({0}));
    put(pipe.out.get());
    EXPECT_TRUE(array.keeps_answering({POLLIN}));
    ::close(pipe.in.get());
    if (turn % 2 == 0) {
      EXPECT_TRUE(array.answers({POLLNVAL}));
    }
    ASSERT_EQ(pipe.in.get(), ::dup2(spare.get(), pipe.in.get()));
    EXPECT_TRUE(array.answers({POLLIN}));
    drain(spare.get());
  }
}

TEST_P(PollDuplicateTest, DescriptorReceivedFromASocketTakesTheFreedNumber) {
  Pipe carrier = make_socketpair(SOCK_STREAM);
  Pipe first = make_pipe();
  const Pipe second = make_pipe();
  put(second.out.get());
  const int number = first.in.get();
  array.add(number, POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));

  char byte = 'x';
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int sent = second.in.get();
  std::memcpy(CMSG_DATA(header), &sent, sizeof sent);
  ASSERT_EQ(1, ::sendmsg(carrier.out.get(), &message, 0));
  first.in.close();
  ASSERT_EQ(1, ::recvmsg(carrier.in.get(), &message, MSG_CMSG_CLOEXEC));
  int received = -1;
  std::memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof received);
  const Descriptor owner(received);
  array.subject(0).fd = received;
  EXPECT_TRUE(array.keeps_answering({POLLIN}));
  drain(received);
  EXPECT_TRUE(array.keeps_answering({0}));
}

TEST_P(PollDuplicateTest, AcceptedConnectionsMayShareOneNumberOneAfterTheOther) {
  sockaddr_in address;
  const Descriptor listener = make_bound_socket(SOCK_STREAM, address);
  ASSERT_EQ(0, ::listen(listener.get(), 8));
  int number = -1;
  for (int turn = 0; turn < 6; ++turn) {
    const Descriptor client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(0, connect_to(client.get(), address));
    Descriptor server(::accept(listener.get(), nullptr, nullptr));
    if (number < 0) {
      number = server.get();
      array.add(number, POLLIN);
    } else if (server.get() != number) {
      ASSERT_EQ(number, ::dup2(server.get(), number));
      server = Descriptor(number);
    }
    EXPECT_TRUE(array.answers({0}));
    put(client.get());
    EXPECT_TRUE(array.answers({POLLIN}, 10'000));
  }
}

TEST_P(PollDuplicateTest, DataTakenByAChildIsNotReported) {
  const Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  put(pipe.out.get());
  EXPECT_TRUE(array.keeps_answering({POLLIN}));
  expect_in_child([&] { REQUIRE_IN_CHILD(drain(pipe.in.get()) == 1); });
  EXPECT_TRUE(array.keeps_answering({0}));
  expect_in_child([&] { put(pipe.out.get()); });
  EXPECT_TRUE(array.keeps_answering({POLLIN}));
}

}  // namespace
}  // namespace conformance
