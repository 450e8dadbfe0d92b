// poll: the bits that are asked for, and the shape of the answer.
//
// Every event bit, none, all; entries that are ignored, repeated, or written in a way that only poll allows; what
// stands in revents and in the return value.
#include "support/padded_array.hpp"

namespace conformance {
namespace {

class PollEventsTest : public ArrayTest {};
CONFORMANCE_EVERY_SHAPE(PollEventsTest);

constexpr short kEveryBit[] = {POLLIN,     POLLPRI,    POLLOUT,    POLLERR, POLLHUP,  POLLNVAL, POLLRDNORM,
                               POLLRDBAND, POLLWRNORM, POLLWRBAND, POLLMSG, POLLRDHUP};

TEST_P(PollEventsTest, EachBitAloneIsAnsweredAsTheKernelDoes) {
  const Pipe pipe = make_pipe();
  const Pipe stream = make_socketpair(SOCK_STREAM);
  const Pipe datagram = make_socketpair(SOCK_DGRAM);
  const Descriptor event = make_event(1);
  put(pipe.out.get());
  put(stream.out.get());
  put(datagram.out.get());
  ASSERT_EQ(0, ::shutdown(stream.out.get(), SHUT_WR));
  for (const int fd : {pipe.in.get(), pipe.out.get(), stream.in.get(), datagram.in.get(), event.get()})
    array.add(fd, 0);
  for (const short bit : kEveryBit) {
    for (std::size_t subject = 0; subject < 5; ++subject) array.subject(subject).events = bit;
    EXPECT_TRUE(array.keeps_agreeing()) << "events " << bit;
  }
}

TEST_P(PollEventsTest, BitsOfTheSixteenThatNobodyDefinedAreIgnored) {
  const Pipe pipe = make_pipe();
  put(pipe.out.get());
  array.add(pipe.in.get(), 0);
  for (int bit = 0; bit < 16; ++bit) {
    array.subject(0).events = static_cast<short>(1U << bit);
    EXPECT_TRUE(array.keeps_agreeing()) << "bit " << bit;
  }
}

TEST_P(PollEventsTest, AllBitsMayBeAskedFor) {
  const Pipe pipe = make_pipe();
  const Pipe stream = make_socketpair(SOCK_STREAM);
  array.add(pipe.in.get(), -1);
  array.add(stream.in.get(), -1);
  array.add(pipe.out.get(), -1);
  EXPECT_TRUE(array.keeps_answering({0, POLLOUT | POLLWRNORM | POLLWRBAND, POLLOUT | POLLWRNORM}));
  put(pipe.out.get());
  put(stream.out.get());
  EXPECT_TRUE(array.keeps_answering({POLLIN | POLLRDNORM,
                                     POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLWRBAND, POLLOUT | POLLWRNORM}));
}

TEST_P(PollEventsTest, HangUpAndErrorNeedNotBeAskedFor) {
  Pipe first = make_pipe();
  Pipe second = make_pipe();
  array.add(first.in.get(), 0);
  array.add(second.out.get(), 0);
  put(first.out.get());
  EXPECT_TRUE(array.keeps_answering({0, 0}));
  first.out.close();
  EXPECT_TRUE(array.keeps_answering({POLLHUP, 0}));
  second.in.close();
  EXPECT_TRUE(array.keeps_answering({POLLHUP, POLLERR}));
}

TEST_P(PollEventsTest, ReadableAndNormalReadableAreToldApart) {
  const Pipe pipe = make_pipe();
  put(pipe.out.get());
  array.add(pipe.in.get(), POLLRDNORM);
  array.add(pipe.in.get(), POLLIN);
  array.add(pipe.in.get(), POLLIN | POLLRDNORM);
  array.add(pipe.out.get(), POLLWRNORM);
  EXPECT_TRUE(array.keeps_answering({POLLRDNORM, POLLIN, POLLIN | POLLRDNORM, POLLWRNORM}));
}

TEST_P(PollEventsTest, EventsChangedInPlaceCountAtOnce) {
  const Pipe pair = make_socketpair(SOCK_STREAM);
  put(pair.out.get());
  array.add(pair.in.get(), POLLIN);
  for (int turn = 0; turn < 3; ++turn) {
    for (const short events : std::initializer_list<short>{POLLIN, POLLOUT, POLLIN | POLLOUT, 0, POLLPRI, POLLOUT}) {
      array.subject(0).events = events;
      EXPECT_TRUE(array.answers({static_cast<short>(events & (POLLIN | POLLOUT))})) << events;
    }
    EXPECT_TRUE(array.keeps_answering({POLLOUT}));
  }
}

TEST_P(PollEventsTest, NegativeDescriptorsAreIgnored) {
  const Pipe pipe = make_pipe();
  put(pipe.out.get());
  array.add(-1, POLLIN);
  array.add(pipe.in.get(), POLLIN);
  array.add(-pipe.in.get(), POLLIN);
  array.add(~pipe.in.get(), -1);
  array.add(INT32_MIN, POLLIN);
  EXPECT_TRUE(array.keeps_answering({0, POLLIN, 0, 0, 0}));
}

TEST_P(PollEventsTest, DescriptorSwitchedOffAndOnInPlaceIsFollowed) {
  const Pipe pipe = make_pipe();
  put(pipe.out.get());
  array.add(pipe.in.get(), POLLIN);
  for (int turn = 0; turn < 4; ++turn) {
    EXPECT_TRUE(array.answers({POLLIN}));
    array.subject(0).fd = ~pipe.in.get();
    EXPECT_TRUE(array.answers({0}));
    array.subject(0).fd = pipe.in.get();
  }
  EXPECT_TRUE(array.keeps_answering({POLLIN}));
  array.subject(0).fd = -1;
  EXPECT_TRUE(array.keeps_answering({0}));
}

TEST_P(PollEventsTest, AllEntriesMayBeNegative) {
  array.add(-1, POLLIN);
  for (pollfd& entry : array.entries()) entry.fd = -1;
  EXPECT_TRUE(array.keeps_answering({0}));
  const Stopwatch watch;
  EXPECT_TRUE(array.answers({0}, 20));
  EXPECT_TRUE(watch.in_time(20 * kMillisecond));
}

TEST_P(PollEventsTest, EachEntryOfARepeatedDescriptorIsAnswered) {
  const Pipe pair = make_socketpair(SOCK_STREAM);
  array.add(pair.in.get(), POLLIN);
  array.add(pair.in.get(), POLLOUT);
  array.add(pair.in.get(), POLLIN | POLLOUT);
  array.add(pair.in.get(), POLLIN);
  array.add(pair.in.get(), 0);
  EXPECT_TRUE(array.keeps_answering({0, POLLOUT, POLLOUT, 0, 0}));
  put(pair.out.get());
  EXPECT_TRUE(array.keeps_answering({POLLIN, POLLOUT, POLLIN | POLLOUT, POLLIN, 0}));
  drain(pair.in.get());
  EXPECT_TRUE(array.keeps_answering({0, POLLOUT, POLLOUT, 0, 0}));
}

TEST_P(PollEventsTest, RepetitionsThatComeAndGoAreFollowed) {
  const Pipe pipe = make_pipe();
  const Pipe other = make_pipe();
  put(pipe.out.get());
  array.add(pipe.in.get(), POLLIN);
  array.add(other.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({POLLIN, 0}));
  array.subject(1).fd = pipe.in.get();
  EXPECT_TRUE(array.keeps_answering({POLLIN, POLLIN}));
  array.subject(0).fd = other.in.get();
  EXPECT_TRUE(array.keeps_answering({0, POLLIN}));
  array.subject(0).fd = -1;
  EXPECT_TRUE(array.keeps_answering({0, POLLIN}));
  array.subject(1).fd = other.in.get();
  EXPECT_TRUE(array.keeps_answering({0, 0}));
}

TEST_P(PollEventsTest, EveryEntryMayBeReady) {
  const Descriptor event = make_event(1);
  array.add(event.get(), POLLIN);
  for (pollfd& entry : array.entries()) {
    if (entry.fd != event.get()) entry.events = POLLIN | POLLERR;
    entry.fd = event.get();
  }
  for (int round = 0; round < kRounds; ++round) {
    EXPECT_EQ(static_cast<int>(array.size()), array.call());
    for (const pollfd& entry : array.entries()) ASSERT_EQ(POLLIN, entry.revents);
  }
  drain(event.get());
  EXPECT_TRUE(array.keeps_answering({0}));
}

TEST_P(PollEventsTest, ManyDifferentEntriesMayBeReadyAtOnce) {
  std::vector<Pipe> pipes;
  std::vector<short> expected;
  for (int i = 0; i < 60; ++i) {
    pipes.push_back(make_pipe());
    array.add(pipes.back().in.get(), POLLIN);
    expected.push_back(0);
  }
  EXPECT_TRUE(array.keeps_answering(expected));
  for (std::size_t i = 0; i < pipes.size(); ++i) {
    put(pipes[i].out.get());
    expected[i] = POLLIN;
    EXPECT_TRUE(array.answers(expected));
  }
  EXPECT_TRUE(array.keeps_answering(expected));
  for (std::size_t i = 0; i < pipes.size(); i += 2) {
    drain(pipes[i].in.get());
    expected[i] = 0;
    EXPECT_TRUE(array.answers(expected));
  }
  EXPECT_TRUE(array.keeps_answering(expected));
}

TEST_P(PollEventsTest, RequestIsNeverWritten) {
  const Pipe pipe = make_pipe();
  put(pipe.out.get());
  array.add(pipe.in.get(), -1);
  array.add(-7, 0x7fff);
  array.add(pipe.in.get(), POLLIN);
  const std::vector<pollfd> before = array.entries();
  for (int round = 0; round < kRounds; ++round) {
    EXPECT_EQ(2, array.call());
    for (std::size_t i = 0; i < before.size(); ++i) {
      EXPECT_EQ(before[i].fd, array.entries()[i].fd);
      EXPECT_EQ(before[i].events, array.entries()[i].events);
    }
  }
}

}  // namespace
}  // namespace conformance
