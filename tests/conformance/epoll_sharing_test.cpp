// epoll: sets and entries that several threads, descriptors or processes share.
//
// One event wakes one waiter where that is promised (edge-triggered entries of one set, exclusive entries of several);
// duplicates of a set and forked children see the very same set.
#include <atomic>
#include <thread>

#include "support/child.hpp"
#include "support/epoll_set.hpp"

namespace conformance {
namespace {

// Threads that wait on one set each, and how many of them have got an event.
class Waiters {
 public:
  explicit Waiters(const std::vector<const EpollSet*>& sets) {
    for (const EpollSet* set : sets) threads_.emplace_back([this, set] { woken_ += set->count(20'000) == 1; });
  }
  ~Waiters() {
    for (std::thread& thread : threads_) thread.join();
  }
  // Waits for the first, and leaves those that should sleep on some time to prove otherwise.
  int woken() const {
    for (const Stopwatch watch; woken_ == 0 && watch.prompt();) sleep_ns(kMillisecond / 4);
    sleep_ns(5 * kMillisecond);
    return woken_;
  }
  // Gives events until everybody has gone home.
  template <typename Give>
  void release(Give give) const {
    for (const Stopwatch watch; woken_ < static_cast<int>(threads_.size()) && watch.prompt();) {
      give();
      sleep_ns(kMillisecond);
    }
  }

 private:
  std::atomic<int> woken_ = 0;
  std::vector<std::thread> threads_;
};

TEST(EpollSharingTest, EdgeWakesOneOfTheThreadsThatWaitOnOneSet) {
  const EpollSet set;
  const Descriptor event = make_event();
  ASSERT_EQ(0, set.add(event.get(), EPOLLIN | EPOLLET));
  for (int turn = 0; turn < 5; ++turn) {
    const Waiters waiters({&set, &set, &set});
    sleep_ns(2 * kMillisecond);
    add_to_event(event.get());
    EXPECT_EQ(1, waiters.woken());
    waiters.release([&] { add_to_event(event.get()); });
    set.count();
  }
}

TEST(EpollSharingTest, OneShotIsDeliveredToOneThread) {
  const EpollSet set;
  const Descriptor event = make_event();
  ASSERT_EQ(0, set.add(event.get(), EPOLLIN | EPOLLONESHOT));
  for (int turn = 0; turn < 5; ++turn) {
    const Waiters waiters({&set, &set, &set});
    add_to_event(event.get());
    EXPECT_EQ(1, waiters.woken());
    waiters.release([&] { set.modify(event.get(), EPOLLIN | EPOLLONESHOT); });
    drain(event.get());
    ASSERT_EQ(0, set.modify(event.get(), EPOLLIN | EPOLLONESHOT));
  }
}

TEST(EpollSharingTest, ExclusiveEntriesWakeAtLeastOneOfTheirSets) {
  const EpollSet sets[6];
  const Descriptor event = make_event();
  std::vector<const EpollSet*> all;
  for (const EpollSet& set : sets) {
    ASSERT_EQ(0, set.add(event.get(), EPOLLIN | EPOLLEXCLUSIVE));
    all.push_back(&set);
  }
  const Waiters waiters(all);
  sleep_ns(2 * kMillisecond);
  add_to_event(event.get());
  EXPECT_LE(1, waiters.woken());
  waiters.release([&] { add_to_event(event.get()); });
  for (const EpollSet& set : sets) EXPECT_EQ(1, set.count());
}

TEST(EpollSharingTest, DuplicateOfASetIsTheSameSet) {
  EpollSet set;
  const EpollSet duplicate(::fcntl(set.get(), F_DUPFD_CLOEXEC, 0));
  const Descriptor event = make_event(1);
  ASSERT_EQ(0, set.add(event.get(), EPOLLIN, 3));
  ASSERT_EQ(1U, duplicate.wait().size());
  EXPECT_FAILS(EEXIST, duplicate.add(event.get(), EPOLLIN));
  set.close();
  EXPECT_EQ(3U, duplicate.wait().at(0).data.u64);
  ASSERT_EQ(0, duplicate.remove(event.get()));
  EXPECT_EQ(0, duplicate.count());
}

TEST(EpollSharingTest, NumberOfASetMayComeToMeanAnother) {
  const EpollSet first;
  const EpollSet second;
  const Descriptor event = make_event(1);
  ASSERT_EQ(0, first.add(event.get(), EPOLLIN, 1));
  EXPECT_EQ(1, first.count());
  ASSERT_EQ(first.get(), ::dup2(second.get(), first.get()));
  EXPECT_EQ(0, first.count());
  ASSERT_EQ(0, first.add(event.get(), EPOLLIN, 2));
  EXPECT_EQ(2U, second.wait().at(0).data.u64);
  ASSERT_EQ(first.get(), ::dup2(event.get(), first.get()));
  EXPECT_EQ(-EINVAL, first.count());
}

TEST(EpollSharingTest, ForkedChildSharesTheSet) {
  const EpollSet set;
  const Descriptor event = make_event(1);
  const Descriptor second = make_event();
  ASSERT_EQ(0, set.add(event.get(), EPOLLIN, 1));
  EXPECT_EQ(1, set.count());
  expect_in_child([&] {
    REQUIRE_IN_CHILD(set.count() == 1);
    REQUIRE_IN_CHILD(set.remove(event.get()) == 0);
    REQUIRE_IN_CHILD(set.count() == 0);
    REQUIRE_IN_CHILD(set.add(second.get(), EPOLLIN | EPOLLOUT, 7) == 0);
  });
  const auto events = set.wait();
  ASSERT_EQ(1U, events.size());
  EXPECT_EQ(7U, events[0].data.u64);
  EXPECT_FAILS(ENOENT, set.remove(event.get()));
}

TEST(EpollSharingTest, EntryOfAFileThatOnlyAChildHoldsLivesOn) {
  const EpollSet set;
  Pipe pipe = make_pipe();
  ASSERT_EQ(0, set.add(pipe.in.get(), EPOLLIN, 4));
  const Pipe leash = make_pipe(O_CLOEXEC);
  const pid_t child = start_child([&] {
    char byte;
    REQUIRE_IN_CHILD(::read(leash.in.get(), &byte, 1) == 1);
  });
  pipe.in.close();
  put(pipe.out.get());
  EXPECT_EQ(1, set.count());
  put(leash.out.get());
  EXPECT_EQ(0, status_of(child));
  EXPECT_EQ(0, set.count());
}

TEST(EpollSharingTest, ChildsWaitAndParentsWaitAreIndependent) {
  const EpollSet set;
  const Descriptor event = make_event();
  ASSERT_EQ(0, set.add(event.get(), EPOLLIN));
  const pid_t child = start_child([&] { REQUIRE_IN_CHILD(set.count(20'000) == 1); });
  sleep_ns(5 * kMillisecond);
  add_to_event(event.get());
  EXPECT_EQ(1, set.count(20'000));
  EXPECT_EQ(0, status_of(child));
}

TEST(EpollSharingTest, CloseOfTheSetDuringAWaitEndsNothing) {
  EpollSet set;
  const Descriptor event = make_event();
  ASSERT_EQ(0, set.add(event.get(), EPOLLIN));
  std::atomic<int> result = -1;
  std::thread waiter([&] { result = set.count(20'000); });
  sleep_ns(8 * kMillisecond);
  const Descriptor keeper(::dup(set.get()));
  set.close();
  sleep_ns(2 * kMillisecond);
  add_to_event(event.get());
  waiter.join();
  EXPECT_TRUE(result == 1 || result == -EBADF) << result;  // EBADF if the waiter came too late
}

}  // namespace
}  // namespace conformance
