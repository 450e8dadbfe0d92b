// select and pselect: the sets as memory, and the calls that fail.
//
// Only the bits below nfds count and only the words that hold them are read and written; a failed call leaves the sets
// alone; closed descriptors fail the whole call.
#include <sys/mman.h>

#include <cstring>

#include "support/child.hpp"
#include "support/closers.hpp"
#include "support/descriptor_sets.hpp"

namespace conformance {
namespace {

// Without a word that the sets are different ones, as select's declaration has it.
__attribute__((noinline)) int select_now(int nfds, fd_set* readable, fd_set* writable, fd_set* exceptional) {
  timeval zero{};
  return ::select(nfds, readable, writable, exceptional, &zero);
}

class SelectSetsTest : public SetsTest {};
CONFORMANCE_EVERY_SPAN(SelectSetsTest);

TEST_P(SelectSetsTest, ClosedDescriptorFailsTheCallAndLeavesTheSets) {
  for (const Closer& closer : kClosers) {
    WatchedSets each(GetParam());
    Pipe pipe = make_pipe();
    Descriptor in = each.place(std::move(pipe.in));
    Descriptor file(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const int number = in.get();
    ASSERT_EQ(number, ::dup2(make_socketpair(SOCK_STREAM).in.get(), number));
    for (const unsigned what : {kRead, kWrite, kExcept}) {
      for (const unsigned set : {0U, 1U, 2U}) FD_CLR(number, &each.master(set));
      each.want(number, what);
      const int truth = each.call();
      EXPECT_TRUE(each.keeps_agreeing()) << truth;
      closer.close(number);
      if (!closer.seen) {  // may be late, but not for long
        for (const Stopwatch watch; each.call() >= 0 && watch.prompt();) {
        }
      }
      EXPECT_TRUE(each.fails_with(EBADF)) << closer.name << what;
      EXPECT_TRUE(each.fails_with(EBADF)) << closer.name << what;
      ASSERT_EQ(number, ::dup2(file.get(), number));
    }
  }
}

TEST_P(SelectSetsTest, ClosedNumberIsLegalAgainOnceReused) {
  Pipe pipe = make_pipe();
  Descriptor in = sets.place(std::move(pipe.in));
  const int number = in.get();
  sets.want(number, kRead);
  EXPECT_TRUE(sets.keeps_answering({}));
  for (int turn = 0; turn < 4; ++turn) {
    ::close(number);
    EXPECT_TRUE(sets.fails_with(EBADF));
    const Descriptor event = make_event(1);
    ASSERT_EQ(number, ::dup2(event.get(), number));
    EXPECT_TRUE(sets.keeps_answering({{number, kRead}}));
    drain(number);
    EXPECT_TRUE(sets.keeps_answering({}));
  }
}

TEST_P(SelectSetsTest, ReplacedDescriptorIsFollowed) {
  for (const Replacer& replacer : kReplacers) {
    WatchedSets each(GetParam());
    Pipe first = make_pipe();
    const Pipe second = make_pipe();
    const Descriptor in = each.place(std::move(first.in));
    const Descriptor duplicate(::dup(in.get()));
    each.want(in.get(), kRead);
    EXPECT_TRUE(each.keeps_answering({}));
    put(first.out.get());
    EXPECT_TRUE(each.keeps_answering({{in.get(), kRead}}));
    replacer.replace(second.in.get(), in.get());
    EXPECT_TRUE(each.keeps_answering({})) << replacer.name;  // never the old file's data
    put(second.out.get());
    if (!replacer.seen) {
      for (const Stopwatch watch; each.call() == 0 && watch.prompt();) {
      }
    }
    EXPECT_TRUE(each.keeps_answering({{in.get(), kRead}})) << replacer.name;
  }
}

TEST_P(SelectSetsTest, BitsFromNfdsUpDoNotCount) {
  const Descriptor high(::fcntl(0, F_DUPFD_CLOEXEC, sets.count() + 1));
  ::close(high.get());  // a number that is not open
  fd_set set;
  FD_ZERO(&set);
  FD_SET(sets.count() + 1, &set);
  FD_SET(sets.count(), &set);
  for (int round = 0; round < kSelectRounds; ++round) {
    fd_set copy = set;
    EXPECT_EQ(0, select_now(sets.count(), &copy, nullptr, &copy));
  }
}

// What the kernel leaves of a set whose memory is full of bits: the words below nfds are answers, the rest is
// untouched.
TEST_P(SelectSetsTest, WordsBeyondNfdsAreUntouched) {
  const Descriptor event = make_event(1);
  const int fd = event.get();
  for (const int count : {fd + 1, fd + 2, 64, 65, 127, 128, 130, sets.count()}) {
    if (count <= fd) continue;
    fd_set set;
    std::memset(&set, 0, sizeof set);
    FD_SET(fd, &set);
    for (int bit = count; bit < FD_SETSIZE; ++bit) FD_SET(bit, &set);
    fd_set expected = set;
    ASSERT_EQ(1, raw_select(count, &expected, nullptr, nullptr));
    for (int round = 0; round < kSelectRounds; ++round) {
      fd_set copy = set;
      timeval zero{};
      ASSERT_EQ(1, ::select(count, &copy, nullptr, nullptr, &zero));
      ASSERT_EQ(0, std::memcmp(&expected, &copy, sizeof copy)) << "nfds " << count;
    }
  }
}

TEST_P(SelectSetsTest, SetMayBeAsShortAsNfdsNeeds) {
  const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  auto* memory = static_cast<char*>(::mmap(nullptr, 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(MAP_FAILED, static_cast<void*>(memory));
  ASSERT_EQ(0, ::mprotect(memory, page, PROT_READ | PROT_WRITE));
  Pipe pipe = make_pipe();
  const Descriptor in = sets.place(std::move(pipe.in));
  put(pipe.out.get());
  sets.want(in.get(), kRead);
  const std::size_t bytes = static_cast<std::size_t>(sets.count() + 63) / 64 * 8;
  for (int round = 0; round < kSelectRounds; ++round) {
    char* place = memory + page - bytes;
    std::memcpy(place, &sets.master(0), bytes);
    timeval zero{};
    ASSERT_EQ(1, ::select(sets.count(), reinterpret_cast<fd_set*>(place), nullptr, nullptr, &zero));
  }
  ::munmap(memory, 2 * page);
}

TEST_P(SelectSetsTest, UnreadableSetIsAFault) {
  const Descriptor event = make_event(1);
  sets.want(event.get(), kRead);
  EXPECT_TRUE(sets.keeps_answering({{event.get(), kRead}}));
  timeval zero{};
  for (int round = 0; round < kSelectRounds; ++round) {
    auto* nowhere = reinterpret_cast<fd_set*>(8);
    EXPECT_EQ(-1, ::select(sets.count(), nowhere, nullptr, nullptr, &zero));
    EXPECT_EQ(EFAULT, errno);
    EXPECT_EQ(-1, ::select(sets.count(), nullptr, nullptr, nowhere, &zero));
    EXPECT_EQ(EFAULT, errno);
  }
}

TEST_P(SelectSetsTest, SameSetMayBeGivenTwice) {
  Pipe pair = make_socketpair(SOCK_STREAM);
  const Descriptor fd = sets.place(std::move(pair.in));
  sets.want(fd.get(), kRead);
  for (int round = 0; round < kSelectRounds; ++round) {
    fd_set both = sets.master(0);
    fd_set truth = both;
    EXPECT_EQ(raw_select(sets.count(), &truth, &truth, nullptr), select_now(sets.count(), &both, &both, nullptr));
    EXPECT_EQ(0, std::memcmp(&truth, &both, sizeof both));
    both = truth = sets.master(0);
    EXPECT_EQ(raw_select(sets.count(), &truth, &truth, &truth), select_now(sets.count(), &both, &both, &both));
    EXPECT_EQ(0, std::memcmp(&truth, &both, sizeof both));
  }
}

TEST_P(SelectSetsTest, AnyOfTheSetsMayBeMissing) {
  Pipe pair = make_socketpair(SOCK_STREAM);
  const Descriptor fd = sets.place(std::move(pair.in));
  put(pair.out.get());
  sets.want(fd.get(), kRead | kWrite | kExcept);
  for (unsigned present = 0; present < 8; ++present) {
    for (int round = 0; round < kSelectRounds; ++round) {
      fd_set copy[3] = {sets.master(0), sets.master(1), sets.master(2)};
      timeval zero{};
      const int expected = (present & 1 ? 1 : 0) + (present & 2 ? 1 : 0);
      ASSERT_EQ(expected, ::select(sets.count(), present & 1 ? &copy[0] : nullptr, present & 2 ? &copy[1] : nullptr,
                                   present & 4 ? &copy[2] : nullptr, &zero));
      if (present & 4) {
        ASSERT_FALSE(FD_ISSET(fd.get(), &copy[2]));
      }
    }
  }
}

TEST_P(SelectSetsTest, BadArgumentsAreInvalid) {
  const Descriptor event = make_event(1);
  sets.want(event.get(), kRead);
  EXPECT_TRUE(sets.keeps_answering({{event.get(), kRead}}));
  for (int round = 0; round < kSelectRounds; ++round) {
    fd_set copy = sets.master(0);
    timeval zero{};
    EXPECT_EQ(-1, ::select(-1, &copy, nullptr, nullptr, &zero));
    EXPECT_EQ(EINVAL, errno);
    for (timeval bad : {timeval{-1, 0}, timeval{0, -1}}) {
      EXPECT_EQ(-1, ::select(sets.count(), &copy, nullptr, nullptr, &bad));
      EXPECT_EQ(EINVAL, errno);
    }
    for (const timespec bad : {timespec{-1, 0}, timespec{0, -1}, timespec{0, 1'000'000'000}}) {
      EXPECT_EQ(-1, ::pselect(sets.count(), &copy, nullptr, nullptr, &bad, nullptr));
      EXPECT_EQ(EINVAL, errno);
    }
    EXPECT_EQ(0, std::memcmp(&copy, &sets.master(0), sizeof copy));
  }
  EXPECT_TRUE(sets.keeps_answering({{event.get(), kRead}}));
}

// Behind the set there is no memory, so that nobody can look further than the kernel unnoticed.
TEST_P(SelectSetsTest, NumbersBeyondTheTableAreClipped) {
  expect_in_child([&] {
    const Descriptor event = make_event(1);
    sets.want(event.get(), kRead);
    if (sets.count() > 250) return;  // the table may already be larger than an fd_set
    const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    auto* memory = static_cast<char*>(::mmap(nullptr, 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    REQUIRE_IN_CHILD(::mprotect(memory, page, PROT_READ | PROT_WRITE) == 0);
    auto* copy = reinterpret_cast<fd_set*>(memory + page - sizeof(fd_set));
    for (const int count : {FD_SETSIZE, FD_SETSIZE + 1, 65536, INT32_MAX}) {
      for (int round = 0; round < kSelectRounds; ++round) {
        *copy = sets.master(0);
        timeval zero{};
        REQUIRE_IN_CHILD(::select(count, copy, nullptr, nullptr, &zero) == 1);
        REQUIRE_IN_CHILD(FD_ISSET(event.get(), copy));
      }
    }
  });
}

TEST_P(SelectSetsTest, SetsOfAnotherPlaceAndTheSameContentsAreAnsweredAlike) {
  const Descriptor event = make_event(1);
  sets.want(event.get(), kRead);
  for (int round = 0; round < 4 * kSelectRounds; ++round) {
    std::vector<fd_set> place(static_cast<std::size_t>(round % 5 + 1), sets.master(0));
    timeval zero{};
    ASSERT_EQ(1, ::select(sets.count(), &place.back(), nullptr, nullptr, &zero));
    ASSERT_TRUE(FD_ISSET(event.get(), &place.back()));
  }
}

TEST(SelectLargeSetTest, SetsBeyondTheUsualSizeAreAllowed) {
  constexpr int kNumbers = 3000;
  if (!allow_descriptors(kNumbers + 10)) GTEST_SKIP() << "the hard limit of descriptors is too low";
  expect_in_child([] {
    const IdleDescriptors idle(100);
    const Pipe pipe = make_pipe();
    REQUIRE_IN_CHILD(::dup2(pipe.in.get(), kNumbers) == kNumbers);
    std::vector<unsigned long> master(kNumbers / 64 + 1, 0);
    auto want = [&](int fd) { master[static_cast<std::size_t>(fd) / 64] |= 1UL << (fd % 64); };
    for (std::size_t i = 0; i < idle.size(); ++i) want(idle[i]);
    want(kNumbers);
    for (int round = 0; round < 3 * kSelectRounds; ++round) {
      const bool ready = round % 3 == 0;
      if (ready) put(pipe.out.get());
      std::vector<unsigned long> copy = master;
      timeval zero{};
      REQUIRE_IN_CHILD(::select(kNumbers + 1, reinterpret_cast<fd_set*>(copy.data()), nullptr, nullptr, &zero) ==
                       ready);
      REQUIRE_IN_CHILD(copy.back() == (ready ? 1UL << (kNumbers % 64) : 0));
      drain(pipe.in.get());
    }
  });
}

}  // namespace
}  // namespace conformance
