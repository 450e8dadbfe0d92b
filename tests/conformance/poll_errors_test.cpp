// poll: calls that fail, and what they leave behind.
//
// EFAULT, EINVAL, and the odd arguments that are allowed: no array, no entries, more time than there is.
#include <sys/mman.h>

#include "support/child.hpp"
#include "support/padded_array.hpp"

namespace conformance {
namespace {

class PollErrorsTest : public ArrayTest {};
CONFORMANCE_EVERY_SHAPE(PollErrorsTest);

TEST_P(PollErrorsTest, ArrayThatCannotBeReadIsAFault) {
  array.add(-1, POLLIN);
  void* nowhere = ::mmap(nullptr, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(MAP_FAILED, nowhere);
  for (pollfd* fds : {static_cast<pollfd*>(nowhere), reinterpret_cast<pollfd*>(8)}) {
    EXPECT_EQ(-1, poll_via(GetParam().via, fds, array.size(), 0));
    EXPECT_EQ(EFAULT, errno);
  }
  EXPECT_TRUE(array.keeps_answering({0}));
  ::munmap(nowhere, 65536);
}

TEST_P(PollErrorsTest, ArrayThatCannotBeReadIsAFaultEachTime) {
  void* nowhere = ::mmap(nullptr, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(MAP_FAILED, nowhere);
  for (int round = 0; round < kRounds; ++round) {
    EXPECT_EQ(-1, poll_via(GetParam().via, static_cast<pollfd*>(nowhere), GetParam().padding + 1, 0));
    EXPECT_EQ(EFAULT, errno);
  }
  ::munmap(nowhere, 65536);
}

TEST_P(PollErrorsTest, ArrayThatCannotBeWrittenIsAFault) {
  const Pipe pipe = make_pipe();
  put(pipe.out.get());
  array.add(pipe.in.get(), POLLIN);
  const std::size_t bytes = array.size() * sizeof(pollfd);
  void* memory = ::mmap(nullptr, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(MAP_FAILED, memory);
  std::memcpy(memory, array.data(), bytes);
  ASSERT_EQ(0, ::mprotect(memory, 65536, PROT_READ));
  EXPECT_EQ(-1, poll_via(GetParam().via, static_cast<pollfd*>(memory), array.size(), 0));
  EXPECT_EQ(EFAULT, errno);
  ::munmap(memory, 65536);
}

TEST_P(PollErrorsTest, MoreEntriesThanDescriptorsMayBeOpenIsInvalid) {
  array.add(-1, POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  expect_in_child([&] {
    rlimit limit{};
    REQUIRE_IN_CHILD(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = array.size() - 1;
    REQUIRE_IN_CHILD(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (int round = 0; round < kRounds; ++round) {
      REQUIRE_IN_CHILD(array.call() == -1 && errno == EINVAL);
      REQUIRE_IN_CHILD(array.entries()[0].revents == kGarbage);
    }
    limit.rlim_cur = array.size();
    REQUIRE_IN_CHILD(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
    REQUIRE_IN_CHILD(array.keeps_answering({0}));
  });
}

TEST_P(PollErrorsTest, LimitLoweredWhileTheArrayIsInUseCounts) {
  expect_in_child([&] {
    const Pipe pipe = make_pipe();
    put(pipe.out.get());
    array.add(pipe.in.get(), POLLIN);
    REQUIRE_IN_CHILD(array.keeps_answering({POLLIN}));
    rlimit limit{};
    REQUIRE_IN_CHILD(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = array.size();  // still enough entries, but hardly any number left
    REQUIRE_IN_CHILD(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
    REQUIRE_IN_CHILD(array.keeps_answering({POLLIN}));
  });
}

TEST_P(PollErrorsTest, WorksWithoutAFreeDescriptor) {
  expect_in_child([&] {
    const Pipe pipe = make_pipe();
    array.add(pipe.in.get(), POLLIN);
    rlimit limit{};
    REQUIRE_IN_CHILD(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = array.size() + 700;
    if (limit.rlim_cur > limit.rlim_max) limit.rlim_cur = limit.rlim_max;
    REQUIRE_IN_CHILD(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
    int last = -1;
    for (int fd; (fd = ::dup(pipe.out.get())) >= 0;) last = fd;
    REQUIRE_IN_CHILD(errno == EMFILE);
    REQUIRE_IN_CHILD(last == static_cast<int>(limit.rlim_cur) - 1);  // every number was to be had
    REQUIRE_IN_CHILD(array.keeps_answering({0}));
    put(pipe.out.get());
    REQUIRE_IN_CHILD(array.keeps_answering({POLLIN}));
    REQUIRE_IN_CHILD(::dup(0) == -1 && errno == EMFILE);
    REQUIRE_IN_CHILD(::close(last) == 0);
    REQUIRE_IN_CHILD(array.keeps_answering({POLLIN}));
    REQUIRE_IN_CHILD(::dup(pipe.out.get()) == last);
  });
}

TEST_P(PollErrorsTest, BadTimesAreInvalidForPpoll) {
  const Pipe pipe = make_pipe();
  put(pipe.out.get());
  array.add(pipe.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({POLLIN}));
  for (const timespec bad : {timespec{-1, 0}, timespec{0, -1}, timespec{0, 1'000'000'000}, timespec{1, INT64_MAX}}) {
    for (int round = 0; round < kRounds; ++round) {
      array.subject(0).revents = kGarbage;
      EXPECT_EQ(-1, ::ppoll(array.data(), array.size(), &bad, nullptr));
      EXPECT_EQ(EINVAL, errno);
      EXPECT_EQ(kGarbage, array.subject(0).revents);
    }
  }
  EXPECT_TRUE(array.keeps_answering({POLLIN}));
}

TEST_P(PollErrorsTest, VeryLongTimesAreAllowed) {
  const Pipe pipe = make_pipe();
  put(pipe.out.get());
  array.add(pipe.in.get(), POLLIN);
  for (int round = 0; round < kRounds; ++round) {
    const timespec eternity{INT64_MAX, 999'999'999};
    EXPECT_EQ(1, ::ppoll(array.data(), array.size(), &eternity, nullptr));
    EXPECT_EQ(1, ::poll(array.data(), array.size(), INT32_MAX));
    EXPECT_EQ(1, ::poll(array.data(), array.size(), INT32_MIN));
  }
}

TEST(PollWithoutEntriesTest, NoEntriesIsASleep) {
  const Stopwatch watch;
  EXPECT_EQ(0, ::poll(nullptr, 0, 20));
  EXPECT_TRUE(watch.in_time(20 * kMillisecond));
  const timespec time{0, 20'000'000};
  EXPECT_EQ(0, ::ppoll(nullptr, 0, &time, nullptr));
  EXPECT_TRUE(watch.in_time(40 * kMillisecond));
  EXPECT_EQ(0, ::poll(reinterpret_cast<pollfd*>(8), 0, 0));
}

TEST(PollWithoutEntriesTest, HugeCountIsInvalid) {
  pollfd one{-1, 0, 0};
  int (*volatile hidden_poll)(pollfd*, nfds_t, int) = ::poll;  // the count is wrong on purpose
  for (const nfds_t huge : {nfds_t{UINT32_MAX}, nfds_t{INT32_MAX}, ~nfds_t{0}}) {
    EXPECT_EQ(-1, hidden_poll(&one, huge, 0));
    EXPECT_EQ(EINVAL, errno);
  }
}

TEST(PollFortifiedTest, TooSmallABufferIsCaught) {
  const pid_t child = start_child([] {
    ::close(2);  // the message that goes with it
    std::vector<pollfd> fds(40, pollfd{-1, 0, 0});
    ::__poll_chk(fds.data(), fds.size(), 0, fds.size() * sizeof(pollfd) - 1);
  });
  EXPECT_EQ(256 + SIGABRT, status_of(child));
}

}  // namespace
}  // namespace conformance
