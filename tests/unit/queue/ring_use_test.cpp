// Descriptors that an io_uring of the waiting thread polls: which, and that nothing is lost, held or reported that should
// not be, whoever does what to them.
#include <kev/kev.h>

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <random>

#include "os/entries.hpp"
#include "support/native_queue.hpp"
#include "support/ring_refusal.hpp"

namespace {

using namespace native;

struct SocketPair {
  SocketPair() {
    int pair[2];
    EXPECT_EQ(0, ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair));
    near = Descriptor(pair[0]);
    far = Descriptor(pair[1]);
  }
  std::uint64_t ident() const { return static_cast<std::uint64_t>(near.get()); }
  bool try_send() const { return ::write(far.get(), "x", 1) == 1; }
  void send() const { EXPECT_TRUE(try_send()); }
  // Whether the other end is told that this one is closed.
  bool is_over() const {
    pollfd look = {far.get(), POLLIN, 0};
    return ::poll(&look, 1, 0) == 1 && (look.revents & POLLHUP) != 0;
  }
  Descriptor near, far;
};

class RingUseTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Queue probe(kFlags);
    probe.open_ring();
    const int reason = probe.info().reason;
    if (unit::is_ring_refusal(reason)) GTEST_SKIP() << "this kernel, or a filter, lets nobody have rings";
    ASSERT_EQ(0, reason);
  }
  // Registered, and polled by the calling thread's ring.
  void put_on_ring(SocketPair& pair, std::uint64_t udata = 0) {
    ASSERT_EQ(0, kev_add_fd(q, pair.near.get(), KEV_IN | KEV_RDHUP, KEV_EDGE, udata));
    pair.send();
    ASSERT_EQ(1u, queue.wait().size());
    drain(pair.near.get());
    ASSERT_TRUE(is_polled(pair));
  }
  bool is_polled(const SocketPair& pair) {
    kev::queue::Locked locked(q->lock);
    const kev::queue::Entry* entry = q->table.find(KEV_SOURCE_FD, pair.ident());
    return entry != nullptr && entry->polled;
  }
  void expect_given_up() {
    EXPECT_EQ(KEV_ENGINE_EPOLL, queue.info().engine);
    EXPECT_EQ(-EOPNOTSUPP, queue.info().reason);
  }

  static constexpr std::uint32_t kFlags = KEV_Q_SINGLE | KEV_Q_URING;
  Queue queue{kFlags};
  kev_queue* q = queue.get();
};

TEST_F(RingUseTest, IsForOneWaiterAndNotForWhoWantsNone) {
  kev_queue* none;
  for (std::uint32_t flags : {KEV_Q_URING, kFlags | KEV_Q_NO_URING}) {
    kev_attr attr = {flags, 0, {0, 0}};
    EXPECT_EQ(-EINVAL, kev_create(&none, &attr, sizeof attr));
  }
}

TEST_F(RingUseTest, BusySocketsGoToTheRing) {
  q->ring_after = 4;
  q->ring_takes_all = false;
  SocketPair pair;
  Descriptor event = make_event();
  ASSERT_EQ(0, kev_add_fd(q, pair.near.get(), KEV_IN, KEV_EDGE, 7));
  ASSERT_EQ(0, kev_add_fd(q, event.get(), KEV_IN, KEV_EDGE, 8));
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(i >= 4, is_polled(pair)) << i;
    EXPECT_EQ(i < 4 ? KEV_ENGINE_EPOLL : KEV_ENGINE_URING, queue.info().engine);
    EXPECT_EQ(i < 4 ? -EAGAIN : 0, queue.info().reason);
    pair.send();
    add_to_event(event.get());
    auto events = queue.wait();
    ASSERT_EQ(2u, events.size());
    EXPECT_EQ(KEV_IN, events[0].what);
    drain(pair.near.get());
    drain(event.get());
    EXPECT_EQ(0u, queue.wait().size());
  }
  EXPECT_FALSE(q->table.find(KEV_SOURCE_FD, static_cast<std::uint64_t>(event.get()))->polled);
}

TEST_F(RingUseTest, WhatAPollCannotTellStaysInTheSet) {
  for (auto [what, flags] : {std::pair{KEV_IN, 0u}, {KEV_IN, KEV_EDGE | KEV_ONESHOT}, {KEV_IN, KEV_EDGE | KEV_DISPATCH},
                             {KEV_IN | KEV_PRI, KEV_EDGE}}) {
    SocketPair pair;
    ASSERT_EQ(0, kev_add_fd(q, pair.near.get(), what, flags, 0));
    pair.send();
    EXPECT_EQ(1, kev_sleep(q, kev_index(q), nullptr, nullptr));
    EXPECT_FALSE(is_polled(pair));
    auto events = queue.wait();
    ASSERT_EQ(1u, events.size());
    EXPECT_EQ(KEV_IN, events[0].what);
    EXPECT_FALSE(is_polled(pair));
    kev_close_fd(q, pair.near.release());
  }
}

TEST_F(RingUseTest, GoingThereIsNoChangeOfItsOwn) {
  std::vector<SocketPair> pairs(100);
  for (auto& pair : pairs) {
    ASSERT_EQ(0, kev_add_fd(q, pair.near.get(), KEV_IN, KEV_EDGE, 0));
    pair.send();
  }
  std::size_t reports = 0;
  for (int i = 0; i < 10; ++i) reports += queue.wait().size();
  EXPECT_EQ(pairs.size(), reports);
  // Nor is one lost that comes after the report.
  for (auto& pair : pairs) pair.send();
  for (int i = 0; i < 10; ++i) reports += queue.wait().size();
  EXPECT_EQ(2 * pairs.size(), reports);
}

TEST_F(RingUseTest, AWaitThatFindsSomethingThereEntersTheKernelOnce) {
  SocketPair pair;
  put_on_ring(pair);
  queue.wait();
  const unsigned before = kev::os::kernel_entries;
  pair.send();
  EXPECT_EQ(1u, queue.wait(kSecond).size());
  EXPECT_EQ(1u, kev::os::kernel_entries - before);
}

TEST_F(RingUseTest, ItSleepsThereAndIsWokenByAll) {
  SocketPair pair;
  put_on_ring(pair);
  Descriptor level = make_event();
  ASSERT_EQ(0, kev_add_fd(q, level.get(), KEV_IN, 0, 0));
  ASSERT_EQ(0, kev_add_user(q, 1, 0, 0));
  for (int i = 0; i < 60; ++i) {
    std::thread other([&] {
      wait_until([&] { return queue.info().waiters == 1; });
      switch (i % 4) {
        case 0: pair.send(); break;
        case 1: add_to_event(level.get()); break;
        case 2: ASSERT_EQ(0, kev_post(q, 1, 0, nullptr)); break;
        default: ASSERT_EQ(0, kev_wake(q, 1)); break;
      }
    });
    Stopwatch watch;
    EXPECT_EQ(i % 4 == 3 ? 0u : 1u, queue.wait(4 * kSecond).size()) << i;
    EXPECT_GT(3 * kSecond, watch.elapsed()) << "not woken";
    other.join();
    drain(pair.near.get());
    drain(level.get());
    ASSERT_EQ(0u, queue.wait().size());
  }
  const std::int64_t before = now_ns(CLOCK_THREAD_CPUTIME_ID);
  EXPECT_EQ(0u, queue.wait(50 * kMillisecond).size());
  EXPECT_GT(30 * kMillisecond, now_ns(CLOCK_THREAD_CPUTIME_ID) - before);
  EXPECT_EQ(KEV_ENGINE_URING, queue.info().engine);
}

TEST_F(RingUseTest, ALevelIsReportedForAsLongAsItStandsBesideABusyRing) {
  std::vector<SocketPair> pairs(200);
  for (auto& pair : pairs) put_on_ring(pair);
  Descriptor level = make_event(1);
  ASSERT_EQ(0, kev_add_fd(q, level.get(), KEV_IN, 0, 1));
  int reports = 0, news = 0;
  for (int i = 0; i < 30; ++i) {
    for (auto& pair : pairs) pair.send();
    for (const kev_event& event : queue.wait(0, 8)) event.udata == 1 ? ++reports : ++news;
  }
  EXPECT_LE(14, reports) << "every other wait at least";
  EXPECT_LE(100, news);
}

TEST_F(RingUseTest, ARingOfTwoPlacesLosesNothing) {
  Queue small(kFlags, 2);
  std::vector<SocketPair> pairs(600);
  for (auto& pair : pairs) {
    ASSERT_EQ(0, kev_add_fd(small.get(), pair.near.get(), KEV_IN, KEV_EDGE, 0));
    pair.send();
    ASSERT_EQ(1u, small.wait().size());
  }
  for (auto& pair : pairs) pair.send();
  std::size_t reports = 0;
  for (int i = 0; i < 5000 && reports < pairs.size(); ++i) {
    EXPECT_EQ(1, kev_sleep(small.get(), kev_index(small.get()), nullptr, nullptr));
    reports += small.wait(0, i % 2 == 0 ? 1 : 64).size();
  }
  EXPECT_EQ(pairs.size(), reports);
  EXPECT_EQ(0u, small.wait().size());
}

TEST_F(RingUseTest, DeletedByItsOwnerTheFileIsLetGoOf) {
  for (int way = 0; way < 4; ++way) {
    SocketPair pair, other;
    put_on_ring(pair);
    put_on_ring(other);
    if (way % 2 == 1) pair.send();  // a completion on its way
    other.send();
    if (way < 2) {
      EXPECT_EQ(0, kev_delete(q, KEV_SOURCE_FD, pair.ident()));
      pair.near.close();
    } else {
      EXPECT_EQ(0, kev_close_fd(q, pair.near.release()));
    }
    EXPECT_TRUE(pair.is_over());
    auto events = queue.wait();
    ASSERT_EQ(1u, events.size()) << "what came meanwhile of others is not lost";
    EXPECT_EQ(other.ident(), events[0].ident);
    EXPECT_EQ(0, kev_close_fd(q, other.near.release()));
  }
}

TEST_F(RingUseTest, ThePortOfAListenerIsFreeOnceItIsDeletedAndClosed) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  Descriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  ASSERT_EQ(0, ::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address));
  ASSERT_EQ(0, ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size));
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(0, ::listen(listener.get(), 8));
    ASSERT_EQ(0, kev_add_fd(q, listener.get(), KEV_IN, KEV_EDGE, 0));
    Descriptor client(::socket(AF_INET, SOCK_STREAM, 0));
    ASSERT_EQ(0, ::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address));
    ASSERT_EQ(1u, queue.wait(kSecond).size());
    const kev::queue::Entry* entry = q->table.find(KEV_SOURCE_FD, static_cast<std::uint64_t>(listener.get()));
    ASSERT_TRUE(entry != nullptr && entry->polled);
    ASSERT_EQ(0, kev_close_fd(q, listener.release()));
    listener = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    ASSERT_EQ(0, ::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address)) << errno;
  }
}

TEST_F(RingUseTest, DeletedByAnotherThreadItIsReportedNoMoreAndLetGoOfByTheNextWait) {
  SocketPair pair, other;
  put_on_ring(pair);
  put_on_ring(other);
  pair.send();
  other.send();
  std::thread([&] { EXPECT_EQ(0, kev_close_fd(q, pair.near.release())); }).join();
  expect_given_up();
  auto events = queue.wait();
  ASSERT_EQ(1u, events.size());
  EXPECT_EQ(other.ident(), events[0].ident);
  EXPECT_TRUE(pair.is_over());
  drain(other.near.get());
  other.send();
  EXPECT_EQ(1u, queue.wait().size());
}

TEST_F(RingUseTest, DeletedByAnotherThreadItIsLetGoOfByASleeper) {
  SocketPair pair;
  put_on_ring(pair);
  std::thread other([&] {
    wait_until([&] { return queue.info().waiters == 1; });
    EXPECT_EQ(0, kev_close_fd(q, pair.near.release()));
    wait_until([&] { return pair.is_over(); });
    EXPECT_EQ(0, kev_wake(q, 1));
  });
  EXPECT_EQ(0u, queue.wait(30 * kSecond).size());
  other.join();
}

TEST_F(RingUseTest, AnotherThreadThatWaitsFindsEverything) {
  std::vector<SocketPair> pairs(100);
  for (auto& pair : pairs) put_on_ring(pair);
  for (auto& pair : pairs) pair.send();
  std::thread([&] {
    std::size_t reports = 0;
    for (int i = 0; i < 10; ++i) reports += queue.wait().size();
    EXPECT_EQ(pairs.size(), reports);
  }).join();
  expect_given_up();
  for (auto& pair : pairs) {
    drain(pair.near.get());
    pair.send();
  }
  std::size_t reports = 0;
  for (int i = 0; i < 10; ++i) reports += queue.wait().size();
  EXPECT_EQ(pairs.size(), reports);
}

TEST_F(RingUseTest, WhenItsThreadEndsTheNextFindsEverythingAndNoFileIsHeld) {
  SocketPair pair, closed;
  std::thread([&] {
    put_on_ring(pair);
    put_on_ring(closed);
    pair.send();
  }).join();
  expect_given_up();
  EXPECT_EQ(0, kev_close_fd(q, closed.near.release()));
  EXPECT_TRUE(closed.is_over());
  EXPECT_EQ(1u, queue.wait().size());
  drain(pair.near.get());
  pair.send();
  EXPECT_EQ(1u, queue.wait().size());
}

TEST_F(RingUseTest, WhoAsksForADescriptorOfTheQueueSeesAllOfIt) {
  SocketPair pair;
  put_on_ring(pair);
  pollfd look = {kev_fd(q), POLLIN, 0};
  EXPECT_EQ(0, ::poll(&look, 1, 0));
  pair.send();
  EXPECT_EQ(1, ::poll(&look, 1, 0));
  EXPECT_EQ(1u, queue.wait().size());
  expect_given_up();
}

TEST_F(RingUseTest, APollThatEndsByItselfIsTakenUpByTheSet) {
  SocketPair pair;
  put_on_ring(pair);
  {
    kev::queue::Locked locked(q->lock);
    q->watcher.ring().cancel(q->table.find(KEV_SOURCE_FD, pair.ident())->reference().token());
  }
  EXPECT_EQ(0u, queue.wait().size());
  EXPECT_FALSE(is_polled(pair));
  pair.send();
  EXPECT_EQ(1u, queue.wait().size());
}

TEST_F(RingUseTest, ThePollOfTheSetIsMadeAgainWhenItEnds) {
  SocketPair pair;
  put_on_ring(pair);
  {
    kev::queue::Locked locked(q->lock);
    q->watcher.ring().cancel(kev::queue::token_of(kev::queue::Internal::watched));
  }
  EXPECT_EQ(0u, queue.wait().size());
  ASSERT_EQ(0, kev_add_user(q, 1, 0, 0));
  std::thread poster([&] {
    wait_until([&] { return queue.info().waiters == 1; });
    ASSERT_EQ(0, kev_post(q, 1, 0, nullptr));
  });
  Stopwatch watch;
  EXPECT_EQ(1u, queue.wait(5 * kSecond).size());
  EXPECT_GT(4 * kSecond, watch.elapsed()) << "not woken";
  poster.join();
}

TEST_F(RingUseTest, ModifiedOrDisabledItIsInTheSetAgain) {
  SocketPair pair;
  put_on_ring(pair);
  EXPECT_EQ(0, queue.change(KEV_DISABLE, KEV_SOURCE_FD, pair.ident()));
  pair.send();
  EXPECT_EQ(0u, queue.wait().size());
  EXPECT_EQ(0, queue.change(KEV_ENABLE, KEV_SOURCE_FD, pair.ident()));
  EXPECT_EQ(1u, queue.wait().size());
  SocketPair other;
  put_on_ring(other);
  EXPECT_EQ(0, queue.change(KEV_MOD, KEV_SOURCE_FD, other.ident(), 0, KEV_OUT, 5));
  for (int i = 0; i < 3; ++i) {
    auto events = queue.wait();
    ASSERT_EQ(1u, events.size());
    EXPECT_EQ(KEV_OUT, events[0].what);
    EXPECT_EQ(5u, events[0].udata);
  }
}

TEST_F(RingUseTest, TellsTheEndOfTheOtherSide) {
  SocketPair pair;
  put_on_ring(pair);
  pair.far.close();
  auto events = queue.wait();
  ASSERT_EQ(1u, events.size());
  EXPECT_EQ(KEV_IN | KEV_HUP | KEV_RDHUP, events[0].what);
  EXPECT_EQ(KEV_E_EOF, events[0].flags);
}

TEST_F(RingUseTest, AChildOfForkLeavesTheParentsRingAlone) {
  SocketPair pair;
  put_on_ring(pair);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(kev_destroy(q) == 0 ? 0 : 1);
  int status;
  ASSERT_EQ(child, ::waitpid(child, &status, 0));
  EXPECT_EQ(0, status);
  pair.send();
  EXPECT_EQ(1u, queue.wait().size());
  EXPECT_EQ(KEV_ENGINE_URING, queue.info().engine);
}

TEST_F(RingUseTest, DestroyedByItsOwnerAllFilesAreLetGoOf) {
  SocketPair pair;
  {
    Queue own(kFlags);
    ASSERT_EQ(0, kev_add_fd(own.get(), pair.near.get(), KEV_IN, KEV_EDGE, 0));
    pair.send();
    ASSERT_EQ(1u, own.wait().size());
    ASSERT_EQ(KEV_ENGINE_URING, own.info().engine);
  }
  pair.near.close();
  EXPECT_TRUE(pair.is_over());
}

// The end of a ring does so, a little later.
TEST_F(RingUseTest, DestroyingAQueueInterruptsNothing) {
  SocketPair pair;
  Queue other;
  for (int i = 0; i < 10; ++i) {
    Queue own(kFlags);
    ASSERT_EQ(0, kev_add_fd(own.get(), pair.near.get(), KEV_IN, KEV_EDGE, 0));
    pair.send();
    ASSERT_EQ(1u, own.wait().size());
    ASSERT_EQ(KEV_ENGINE_URING, own.info().engine);
    ASSERT_EQ(0, kev_destroy(own.get()));
    own.forget();
    EXPECT_EQ(0u, other.wait(kMillisecond).size());
    drain(pair.near.get());
  }
  EXPECT_EQ(0u, other.wait(200 * kMillisecond).size());
}

TEST_F(RingUseTest, WhereItIsRefusedTheSetServes) {
  const pid_t child = ::fork();
  if (child == 0) {
    sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
                          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
                          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
                          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    sock_fprog program = {4, code};
    bool right = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                 ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
    Queue own(kFlags);
    SocketPair pair;
    right = right && kev_add_fd(own.get(), pair.near.get(), KEV_IN, KEV_EDGE, 0) == 0;
    for (int i = 0; i < 5; ++i) {
      pair.send();
      right = right && own.wait().size() == 1 && own.info().engine == KEV_ENGINE_EPOLL && own.info().reason == -EPERM;
    }
    ::_exit(right ? 0 : 1);
  }
  int status;
  ASSERT_EQ(child, ::waitpid(child, &status, 0));
  EXPECT_EQ(0, status);
}

// Anything, in any order: what has changed is reported, what was deleted is not.
TEST_F(RingUseTest, KeepsItsWordUnderRandomChanges) {
  constexpr std::size_t kPairs = 40;
  struct Watched {
    SocketPair pair;
    bool registered = false, enabled = false, edge = false, was_edge = false, owed = false, has_data = false;
  };
  std::vector<Watched> all(kPairs);
  std::mt19937 random(std::random_device{}());
  auto settle = [&] {
    std::vector<unsigned> reports(kPairs);
    for (int stale = 0; stale < 50;) {  // levels come again and again
      auto events = queue.wait(0, static_cast<unsigned>(1 + random() % 20));
      if (events.empty()) break;
      bool fresh = false;
      for (const kev_event& event : events) {
        Watched& one = all[event.udata];
        ASSERT_TRUE(one.registered);
        // What stood before it was disabled, or is no edge any more, is delivered.
        ASSERT_TRUE(one.edge || one.was_edge || (one.enabled && one.has_data)) << "a level that is none";
        fresh |= reports[event.udata]++ == 0;
      }
      stale = fresh ? 0 : stale + 1;
    }
    for (std::size_t i = 0; i < kPairs; ++i) {
      Watched& one = all[i];
      if (!one.registered || !one.enabled) continue;
      if (one.edge ? one.owed : one.has_data) {
        ASSERT_LE(1u, reports[i]) << "lost";
      }
      one.owed = one.was_edge = false;
    }
  };
  for (int step = 0; step < 20'000; ++step) {
    const std::size_t index = random() % kPairs;
    Watched& one = all[index];
    SocketPair& pair = one.pair;
    switch (random() % 16) {
      case 0:
        one.was_edge |= one.edge;
        one.edge = random() % 4 != 0;
        if (kev_add_fd(q, pair.near.get(), KEV_IN, one.edge ? KEV_EDGE : 0, index) == 0) {
          ASSERT_FALSE(one.registered);
          one.registered = one.enabled = true;
          one.owed = one.has_data;
        } else {
          ASSERT_TRUE(one.registered);
          ASSERT_EQ(0, queue.change(KEV_MOD, KEV_SOURCE_FD, pair.ident(), one.edge ? KEV_EDGE : 0, KEV_IN, index));
          one.enabled = true;
          one.owed = one.has_data;
        }
        break;
      case 1:
        if (random() % 4 != 0) break;
        ASSERT_EQ(one.registered ? 0 : -ENOENT, kev_delete(q, KEV_SOURCE_FD, pair.ident()));
        one.registered = false;
        break;
      case 2: {
        if (random() % 4 != 0) break;
        ASSERT_EQ(0, kev_close_fd(q, pair.near.release()));
        ASSERT_TRUE(pair.is_over());
        one = {};
        break;
      }
      case 3: {
        if (!one.registered || random() % 4 != 0) break;
        one.enabled = !one.enabled;
        ASSERT_EQ(0, queue.change(one.enabled ? KEV_ENABLE : KEV_DISABLE, KEV_SOURCE_FD, pair.ident()));
        one.owed = one.enabled && one.has_data;
        break;
      }
      case 4: case 5: case 6: case 7:
        drain(pair.near.get());
        one.has_data = one.owed = false;
        break;
      case 8: settle(); break;
      default:
        if (pair.try_send()) one.has_data = one.owed = true;
        break;
    }
    if (HasFatalFailure()) FAIL() << "in step " << step;
  }
  settle();
  EXPECT_EQ(KEV_ENGINE_URING, queue.info().engine);
}

// Written by others while this one waits: every byte is read because an event has told of it.
TEST_F(RingUseTest, LosesNoChangeThatComesWhileItLooks) {
  constexpr std::size_t kPairs = 16;
  constexpr int kBytes = 3000;
  std::vector<SocketPair> pairs(kPairs);
  for (std::size_t i = 0; i < kPairs; ++i) put_on_ring(pairs[i], i);
  std::vector<std::thread> writers;
  for (std::size_t writer = 0; writer < 2; ++writer)
    writers.emplace_back([&, writer] {
      for (int i = 0; i < kBytes; ++i)
        for (std::size_t k = writer; k < kPairs; k += 2)
          while (!pairs[k].try_send()) std::this_thread::yield();
    });
  std::size_t left = kPairs * kBytes;
  while (left > 0) {
    auto events = queue.wait(20 * kSecond);
    EXPECT_FALSE(events.empty()) << "asleep, and there are " << left;
    if (events.empty()) break;
    for (const kev_event& event : events) {
      char bytes[256];
      for (ssize_t count; (count = ::read(pairs[event.udata].near.get(), bytes, sizeof bytes)) > 0;)
        left -= static_cast<std::size_t>(count);
    }
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(KEV_ENGINE_URING, queue.info().engine);
}

}  // namespace
