// poll: the array itself: where it lies, how long it is, and how it changes from call to call.
//
// Programs build their arrays anew, grow, shrink, reorder and move them, keep them on the stack, put quite different
// ones at one address. Whatever was learnt from an earlier call must not show.
#include <sys/mman.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <random>

#include "support/child.hpp"
#include "support/padded_array.hpp"

namespace conformance {
namespace {

class PollArrayTest : public ArrayTest {};
CONFORMANCE_EVERY_SHAPE(PollArrayTest);

TEST_P(PollArrayTest, GrowsAtTheEnd) {
  std::vector<Pipe> pipes;
  for (int turn = 0; turn < 12; ++turn) {
    pipes.push_back(make_pipe());
    put(pipes.back().out.get());
    array.entries().push_back({pipes.back().in.get(), POLLIN, 0});
    for (int round = 0; round < 2 + turn % 3; ++round) {
      ASSERT_TRUE(array.agrees_with_kernel());
      ASSERT_EQ(POLLIN, array.entries().back().revents);
    }
  }
}

TEST_P(PollArrayTest, ShrinksAtTheEnd) {
  std::vector<Pipe> pipes;
  for (int i = 0; i < 30; ++i) {
    pipes.push_back(make_pipe());
    put(pipes.back().out.get());
    array.entries().push_back({pipes.back().in.get(), POLLIN, 0});
  }
  EXPECT_TRUE(array.keeps_agreeing());
  while (!pipes.empty()) {
    array.entries().pop_back();
    pipes.pop_back();
    ASSERT_TRUE(array.agrees_with_kernel());
    ASSERT_EQ(static_cast<int>(pipes.size()), array.call());
  }
}

TEST_P(PollArrayTest, EntriesBeyondTheCountAreNotTouched) {
  const Pipe pipe = make_pipe();
  put(pipe.out.get());
  array.add(pipe.in.get(), POLLIN);
  for (int i = 0; i < 20; ++i) array.entries().push_back({pipe.in.get(), POLLIN, kGarbage});
  for (nfds_t count = array.size() - 20; count < array.size(); ++count) {
    for (int round = 0; round < kRounds; ++round) {
      array.entries()[count].revents = kGarbage;
      ASSERT_LE(1, ::poll(array.data(), count, 0));
      ASSERT_EQ(kGarbage, array.entries()[count].revents);
    }
  }
}

TEST_P(PollArrayTest, MayBePermutedInPlace) {
  std::vector<Pipe> pipes;
  for (int i = 0; i < 12; ++i) {
    pipes.push_back(make_pipe());
    if (i % 3 == 0) put(pipes.back().out.get());
    array.add(pipes.back().in.get(), i % 2 ? POLLIN : POLLIN | POLLPRI);
  }
  EXPECT_TRUE(array.keeps_agreeing());
  std::mt19937 random(7);
  for (int turn = 0; turn < 20; ++turn) {
    std::shuffle(array.entries().begin(), array.entries().end(), random);
    ASSERT_TRUE(array.agrees_with_kernel());
    ASSERT_TRUE(array.agrees_with_kernel());
  }
  std::reverse(array.entries().begin(), array.entries().end());
  EXPECT_TRUE(array.keeps_agreeing());
  for (int turn = 0; turn < 20; ++turn) {
    std::rotate(array.entries().begin(), array.entries().begin() + 1, array.entries().end());
    ASSERT_TRUE(array.agrees_with_kernel());
  }
}

TEST_P(PollArrayTest, MayBeChangedWholesaleInPlace) {
  const IdleDescriptors others(array.size());
  const Descriptor ready = make_event(1);
  array.add(ready.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({POLLIN}));
  std::vector<pollfd> first = array.entries();
  std::vector<pollfd> second = first;
  for (std::size_t i = 0; i < others.size(); ++i) second[i].fd = others[i];
  second.back().fd = ready.get();
  for (int turn = 0; turn < 6; ++turn) {
    std::copy(second.begin(), second.end(), array.entries().begin());
    ASSERT_TRUE(array.agrees_with_kernel());
    if (turn % 2) {
      ASSERT_TRUE(array.keeps_agreeing());
    }
    std::copy(first.begin(), first.end(), array.entries().begin());
    ASSERT_TRUE(array.agrees_with_kernel());
  }
}

TEST_P(PollArrayTest, MayMoveToAnotherAddress) {
  const Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  for (int turn = 0; turn < 6; ++turn) {
    std::vector<pollfd> copy(array.entries());
    copy.reserve(copy.size() + static_cast<std::size_t>(turn) * 100);
    for (int round = 0; round < kRounds; ++round) {
      put(pipe.out.get());
      ASSERT_EQ(1, ::poll(copy.data(), copy.size(), 0));
      drain(pipe.in.get());
      ASSERT_EQ(0, ::poll(copy.data(), copy.size(), 0));
      ASSERT_TRUE(array.answers({0}));
    }
  }
}

// One frame after the other at the same place on the stack.
__attribute__((noinline)) int poll_on_the_stack(const std::vector<pollfd>& wanted, std::vector<short>& revents) {
  pollfd frame[600];
  std::copy(wanted.begin(), wanted.end(), frame);
  for (std::size_t i = 0; i < wanted.size(); ++i) frame[i].revents = kGarbage;
  const int result = ::poll(frame, wanted.size(), 0);
  revents.clear();
  for (std::size_t i = 0; i < wanted.size(); ++i) revents.push_back(frame[i].revents);
  return result;
}

TEST_P(PollArrayTest, MayShareItsPlaceOnTheStackWithAnother) {
  const IdleDescriptors others(array.size() + 1);
  const Pipe pipe = make_pipe();
  put(pipe.out.get());
  array.add(pipe.in.get(), POLLIN);
  std::vector<pollfd> second;
  for (std::size_t i = 0; i < others.size(); ++i) second.push_back({others[i], POLLIN, 0});
  std::vector<short> revents;
  for (int round = 0; round < 4 * kRounds; ++round) {
    ASSERT_EQ(1, poll_on_the_stack(array.entries(), revents));
    ASSERT_EQ(1, std::count(revents.begin(), revents.end(), POLLIN));
    for (int again = 0; again <= round % 3; ++again) {
      ASSERT_EQ(0, poll_on_the_stack(second, revents));
      ASSERT_EQ(static_cast<long>(second.size()), std::count(revents.begin(), revents.end(), 0));
    }
  }
}

// An array that ends or begins where the memory does: nobody may look beyond it.
TEST_P(PollArrayTest, MayLieAtTheEdgeOfItsMemory) {
  const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t room = 4 * page;
  auto* memory = static_cast<char*>(::mmap(nullptr, room + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(MAP_FAILED, static_cast<void*>(memory));
  ASSERT_EQ(0, ::mprotect(memory + page, room, PROT_READ | PROT_WRITE));
  const Pipe pipe = make_pipe();
  put(pipe.out.get());
  array.add(pipe.in.get(), POLLIN);
  for (std::size_t cut = 0; cut < 9 && cut < array.size(); ++cut) {
    std::vector<pollfd> wanted(array.entries().begin() + static_cast<std::ptrdiff_t>(cut), array.entries().end());
    wanted.back().fd = pipe.in.get();
    const std::size_t bytes = wanted.size() * sizeof(pollfd);
    for (char* place : {memory + page, memory + page + room - bytes}) {
      std::memcpy(place, wanted.data(), bytes);
      auto* fds = reinterpret_cast<pollfd*>(place);
      for (int round = 0; round < kRounds; ++round) {
        ASSERT_LE(1, ::poll(fds, wanted.size(), 0));
        ASSERT_EQ(POLLIN, fds[wanted.size() - 1].revents);
      }
    }
  }
  ::munmap(memory, room + 2 * page);
}

TEST_P(PollArrayTest, MayBeAlignedToItsMembersOnly) {
  const Pipe pipe = make_pipe();
  put(pipe.out.get());
  array.add(pipe.in.get(), POLLIN);
  std::vector<int> storage(array.size() * 2 + 16);
  for (std::size_t offset = 0; offset < 8; ++offset) {
    auto* fds = reinterpret_cast<pollfd*>(storage.data() + offset);
    std::memcpy(static_cast<void*>(fds), array.data(), array.size() * sizeof(pollfd));
    for (int round = 0; round < kRounds; ++round) ASSERT_EQ(1, ::poll(fds, array.size(), 0));
  }
}

TEST_P(PollArrayTest, MayBeFreedAndItsAddressGivenToAnother) {
  const Pipe pipe = make_pipe();
  put(pipe.out.get());
  array.add(pipe.in.get(), POLLIN);
  const IdleDescriptors others(array.size());
  for (int turn = 0; turn < 8; ++turn) {
    auto copy = std::make_unique<pollfd[]>(array.size());
    std::copy(array.entries().begin(), array.entries().end(), copy.get());
    if (turn % 2) {
      for (std::size_t i = 0; i < others.size(); ++i) copy[i].fd = others[i];
    }
    for (int round = 0; round < 4; ++round) ASSERT_EQ(turn % 2 ? 0 : 1, ::poll(copy.get(), array.size(), 0));
  }
}

TEST_P(PollArrayTest, TwoArraysMayTakeTurns) {
  PaddedArray other(GetParam());
  const Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  other.add(pipe.in.get(), POLLIN);
  other.add(pipe.out.get(), POLLOUT);
  for (int turn = 0; turn < 3 * kRounds; ++turn) {
    const bool ready = turn % 3 == 1;
    if (ready) put(pipe.out.get());
    ASSERT_TRUE(array.answers({static_cast<short>(ready ? POLLIN : 0)}));
    ASSERT_TRUE(other.answers({static_cast<short>(ready ? POLLIN : 0), POLLOUT}));
    drain(pipe.in.get());
  }
}

TEST_P(PollArrayTest, PartOfAnArrayIsAnArrayToo) {
  const Pipe pipe = make_pipe();
  put(pipe.out.get());
  array.add(pipe.in.get(), POLLIN);
  for (int round = 0; round < kRounds; ++round) {
    EXPECT_TRUE(array.answers({POLLIN}));
    int inner = 0;
    const nfds_t half = array.size() / 2;
    inner += ::poll(array.data(), half, 0);
    inner += ::poll(array.data() + half, array.size() - half, 0);
    EXPECT_EQ(1, inner);
  }
}

TEST(PollLargeArrayTest, ThousandsOfEntriesAreAnswered) {
  constexpr std::size_t kCount = 3000;
  if (!allow_descriptors(kCount * 2 + 100)) GTEST_SKIP() << "the hard limit of descriptors is too low";
  expect_in_child([] {
    PaddedArray array({"Among3000", kCount});
    const Pipe pipe = make_pipe();
    array.add(pipe.in.get(), POLLIN);
    for (int turn = 0; turn < 3; ++turn) {
      REQUIRE_IN_CHILD(array.keeps_answering({0}));
      put(pipe.out.get());
      REQUIRE_IN_CHILD(array.keeps_answering({POLLIN}));
      drain(pipe.in.get());
    }
    std::vector<Descriptor> busy;
    for (int i = 0; i < 200; ++i) {
      busy.push_back(make_event(1));
      array.add(busy.back().get(), POLLIN);
    }
    REQUIRE_IN_CHILD(array.keeps_agreeing());
    REQUIRE_IN_CHILD(array.call() == 200);
  });
}

TEST(PollLargeArrayTest, SameDescriptorThousandsOfTimes) {
  rlimit limit{};
  ASSERT_EQ(0, ::getrlimit(RLIMIT_NOFILE, &limit));
  const Descriptor event = make_event(1);
  std::vector<pollfd> fds(std::min<std::size_t>(limit.rlim_cur, 2000), pollfd{event.get(), POLLIN, 0});
  for (int round = 0; round < kRounds; ++round)
    ASSERT_EQ(static_cast<int>(fds.size()), ::poll(fds.data(), fds.size(), 0));
  drain(event.get());
  for (int round = 0; round < kRounds; ++round) ASSERT_EQ(0, ::poll(fds.data(), fds.size(), 0));
}

}  // namespace
}  // namespace conformance
