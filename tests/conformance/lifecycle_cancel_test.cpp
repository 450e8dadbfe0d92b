// Cancellation: poll, select and epoll_wait are cancellation points, whatever answers them.
//
// A thread that sleeps in one is cancelled there, its cleanup handlers run, join says so; a pending request is acted on
// at the entry even if there is no time to wait; with cancellation disabled nothing is felt.
#include <pthread.h>

#include <atomic>

#include "support/descriptor_sets.hpp"
#include "support/epoll_set.hpp"
#include "support/padded_array.hpp"
#include "support/signals.hpp"

namespace conformance {
namespace {

// A call under test: sleeps for up to `ms` (negative: for ever) on descriptors of which none is ready unless told.
struct Point {
  const char* name;
  std::size_t padding;
  int (*call)(PaddedArray& array, WatchedSets& sets, const EpollSet& set, int ms);
};

int sleep_in_poll(PaddedArray& array, WatchedSets&, const EpollSet&, int ms) { return array.call(ms); }
int sleep_in_select(PaddedArray&, WatchedSets& sets, const EpollSet&, int ms) { return sets.call(ms * kMillisecond); }

const Point kPoints[] = {
    {"PollAlone", 0, sleep_in_poll},
    {"PollAmong40", 40, sleep_in_poll},
    {"PollAmong300", 300, sleep_in_poll},
    {"SelectOf20", 2, sleep_in_select},
    {"SelectOf100", 50, sleep_in_select},
    {"SelectOf900", 301, sleep_in_select},
    {"EpollWait", 2, [](PaddedArray&, WatchedSets&, const EpollSet& set, int ms) { return set.count(ms); }},
    {"EpollPwait", 2,
     [](PaddedArray&, WatchedSets&, const EpollSet& set, int ms) {
       epoll_event event;
       const sigset_t none = empty_set();
       return ::epoll_pwait(set.get(), &event, 1, ms, &none);
     }},
};

class LifecycleCancelTest : public ::testing::TestWithParam<Point> {
 public:
  LifecycleCancelTest() {
    array.add(pipe.in.get(), POLLIN);
    sets.want(pipe.in.get(), kRead);
    EXPECT_EQ(0, set.add(pipe.in.get(), EPOLLIN));
  }
  int call(int ms) { return GetParam().call(array, sets, set, ms); }
  pthread_t start(void* (*body)(void*)) {
    pthread_t thread;
    EXPECT_EQ(0, ::pthread_create(&thread, nullptr, body, this));
    return thread;
  }
  static LifecycleCancelTest& self(void* pointer) { return *static_cast<LifecycleCancelTest*>(pointer); }
  static void clean(void* pointer) { ++self(pointer).cleaned; }
  static void* result_of(pthread_t thread) {
    void* result = nullptr;
    EXPECT_EQ(0, ::pthread_join(thread, &result));
    return result;
  }

  // The common body: some calls without sleeping, then the one to be cancelled in.
  static void* sleep_for_ever(void* pointer) {
    pthread_cleanup_push(clean, pointer);
    for (int round = 0; round < kRounds; ++round) self(pointer).call(0);
    self(pointer).started = true;
    for (;;) self(pointer).call(self(pointer).sleep_ms);
    pthread_cleanup_pop(0);
    return nullptr;
  }

  PaddedArray array{{"", GetParam().padding, static_cast<Via>(GetParam().padding / 40 % 2)}};
  WatchedSets sets{{"", GetParam().padding > 300 ? 900 : 100, GetParam().padding, GetParam().padding == 50}};
  EpollSet set;
  Pipe pipe = make_pipe();
  std::atomic<bool> started = false;
  std::atomic<int> cleaned = 0;
  int sleep_ms = 60'000;
};
INSTANTIATE_TEST_SUITE_P(Point, LifecycleCancelTest, ::testing::ValuesIn(kPoints),
                         [](const ::testing::TestParamInfo<Point>& which) { return which.param.name; });

TEST_P(LifecycleCancelTest, SleepingThreadIsCancelled) {
  int turns = 0;
  for (const int delay_us : {0, 100, 1000, 4000, 7000, 15000}) {
    for (const int ms : {60'000, -1}) {
      sleep_ms = ms;
      started = false;
      const pthread_t thread = start(sleep_for_ever);
      while (!started) sleep_ns(10'000);
      sleep_ns(delay_us * 1000);
      ASSERT_EQ(0, ::pthread_cancel(thread));
      EXPECT_EQ(PTHREAD_CANCELED, result_of(thread));
      EXPECT_EQ(++turns, cleaned);
    }
  }
  EXPECT_EQ(0, call(0));  // and nobody else has to suffer for it
  put(pipe.out.get());
  EXPECT_EQ(1, call(0));
}

TEST_P(LifecycleCancelTest, PendingRequestIsActedOnAtEntryWithNoTimeToWait) {
  for (const bool ready : {false, true}) {
    for (const int rounds : {0, kRounds}) {
      if (ready) put(pipe.out.get());
      cleaned = 0;
      sleep_ms = rounds;
      const pthread_t thread = start([](void* pointer) -> void* {
        pthread_cleanup_push(clean, pointer);
        for (int round = 0; round < self(pointer).sleep_ms; ++round) self(pointer).call(0);
        ::pthread_cancel(::pthread_self());
        self(pointer).call(0);
        pthread_cleanup_pop(0);
        return nullptr;
      });
      EXPECT_EQ(PTHREAD_CANCELED, result_of(thread)) << (ready ? "ready" : "idle") << rounds;
      EXPECT_EQ(1, cleaned);
    }
  }
}

TEST_P(LifecycleCancelTest, DisabledThreadFeelsNothing) {
  sleep_ms = 25;
  static std::atomic<bool> slept_well;
  static std::atomic<bool> requested;
  slept_well = false;
  requested = false;
  const pthread_t thread = start([](void* pointer) -> void* {
    int before;
    ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    for (int round = 0; round < kRounds; ++round) self(pointer).call(0);
    self(pointer).started = true;
    const Stopwatch watch;
    const int result = self(pointer).call(self(pointer).sleep_ms);
    slept_well = result == 0 && watch.in_time(self(pointer).sleep_ms * kMillisecond);
    while (!requested) sleep_ns(100'000);
    const bool again = self(pointer).call(1) == 0;  // with the request pending
    slept_well = slept_well && again;
    ::pthread_setcancelstate(before, nullptr);
    self(pointer).call(0);
    slept_well = false;
    return nullptr;
  });
  while (!started) sleep_ns(10'000);
  sleep_ns(3 * kMillisecond);
  ASSERT_EQ(0, ::pthread_cancel(thread));
  requested = true;
  EXPECT_EQ(PTHREAD_CANCELED, result_of(thread));
  EXPECT_TRUE(slept_well);
}

TEST_P(LifecycleCancelTest, AsynchronousThreadIsCancelledToo) {
  const pthread_t thread = start([](void* pointer) -> void* {
    for (int round = 0; round < kRounds; ++round) self(pointer).call(0);
    pthread_cleanup_push(clean, pointer);
    ::pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, nullptr);
    self(pointer).started = true;
    for (;;) self(pointer).call(60'000);
    pthread_cleanup_pop(0);
    return nullptr;
  });
  while (!started) sleep_ns(10'000);
  sleep_ns(2 * kMillisecond);
  ASSERT_EQ(0, ::pthread_cancel(thread));
  EXPECT_EQ(PTHREAD_CANCELED, result_of(thread));
  EXPECT_EQ(1, cleaned);
}

TEST_P(LifecycleCancelTest, DestructorsRunAsTheThreadIsUnwound) {
  static std::atomic<int> destroyed;
  destroyed = 0;
  struct Local {
    ~Local() { ++destroyed; }
  };
  const pthread_t thread = start([](void* pointer) -> void* {
    const Local local;
    self(pointer).started = true;
    for (;;) self(pointer).call(60'000);
  });
  while (!started) sleep_ns(10'000);
  sleep_ns(2 * kMillisecond);
  ASSERT_EQ(0, ::pthread_cancel(thread));
  EXPECT_EQ(PTHREAD_CANCELED, result_of(thread));
  EXPECT_EQ(1, destroyed);
}

TEST_P(LifecycleCancelTest, CleanupHandlerMayPollItself) {
  static std::atomic<int> inner;
  inner = -1;
  const pthread_t thread = start([](void* pointer) -> void* {
    pthread_cleanup_push([](void* again) { inner = self(again).call(1); }, pointer);
    for (int round = 0; round < kRounds; ++round) self(pointer).call(0);
    self(pointer).started = true;
    for (;;) self(pointer).call(60'000);
    pthread_cleanup_pop(0);
    return nullptr;
  });
  while (!started) sleep_ns(10'000);
  sleep_ns(8 * kMillisecond);
  ASSERT_EQ(0, ::pthread_cancel(thread));
  EXPECT_EQ(PTHREAD_CANCELED, result_of(thread));
  EXPECT_EQ(0, inner);
}

TEST_P(LifecycleCancelTest, ManyCancelledThreadsLeaveNoDescriptorBehind) {
  const int lowest = ::dup(0);
  for (int turn = 0; turn < 30; ++turn) {
    started = false;
    const pthread_t thread = start(sleep_for_ever);
    while (!started) sleep_ns(10'000);
    ASSERT_EQ(0, ::pthread_cancel(thread));
    ASSERT_EQ(PTHREAD_CANCELED, result_of(thread));
  }
  EXPECT_EQ(30, cleaned);
  EXPECT_EQ(lowest + 1, ::dup2(0, lowest + 1));
  ::close(lowest + 1);
  ::close(lowest);
  std::vector<pollfd> fds(array.entries());
  for (int round = 0; round < kRounds; ++round) EXPECT_EQ(0, ::poll(fds.data(), fds.size(), 0));
}

}  // namespace
}  // namespace conformance
