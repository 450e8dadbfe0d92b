// The wait set: on an engine that does what it is told, and on the epoll engine.
#include "wait/wait_set.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <cerrno>
#include <map>
#include <thread>
#include <vector>

#include "engine/epoll_engine.hpp"
#include "support/descriptor.hpp"
#include "support/signals.hpp"
#include "support/stopwatch.hpp"

namespace kev::wait {
namespace {

using namespace conformance;
using engine::Event;

class FakeEngine final : public engine::Engine {
 public:
  struct Registration {
    std::uint32_t events;
    std::uint64_t token;
  };

  int open() override { return 0; }
  void close() override {}
  int add(int fd, std::uint32_t wanted, std::uint64_t token) override {
    if (error != 0) return error;
    return registered.emplace(fd, Registration{wanted, token}).second ? 0 : -EEXIST;
  }
  int change(int fd, std::uint32_t wanted, std::uint64_t token) override {
    if (error != 0) return error;
    if (registered.count(fd) == 0) return -ENOENT;
    registered[fd] = {wanted, token};
    return 0;
  }
  int remove(int fd) override { return registered.erase(fd) != 0 ? 0 : -ENOENT; }
  int wait(Event* out, int max, const Deadline&, const sigset_t*) override {
    ++waits;
    if (error != 0) return error;
    int count = 0;
    for (; count < max && !events.empty(); ++count) {
      out[count] = events.front();
      events.erase(events.begin());
    }
    return count;
  }
  int wake() override { return ++wakes; }

  std::map<int, Registration> registered;
  std::vector<Event> events;
  int error = 0, waits = 0, wakes = 0;
};

template <typename Engine>
class WaitSetOn : public ::testing::Test {
 protected:
  void attach() { set.attach(engine, ring, 8, interests, 16); }

  // What stands in the ring, taken in runs of at most `max`.
  std::vector<std::uint64_t> take(unsigned max = 8) {
    std::vector<std::uint64_t> tokens;
    for (wait::Run<const Event> run; (run = set.claim(max)).count != 0; set.commit())
      for (unsigned i = 0; i < run.count; ++i) tokens.push_back(run.data[i].token);
    return tokens;
  }

  Engine engine;
  Event ring[8];
  Interest interests[16];
  WaitSet set;
};

class WaitSetTest : public WaitSetOn<FakeEngine> {
 protected:
  WaitSetTest() { attach(); }
  int wait() { return set.wait(Deadline::now(), nullptr); }
};

using Tokens = std::vector<std::uint64_t>;

TEST_F(WaitSetTest, WatchesUnderATokenOfNumberAndGeneration) {
  Interest& interest = set.insert(5);
  EXPECT_EQ(&interest, set.find(5));
  EXPECT_TRUE(engine.registered.empty());
  interest.generation = 9;
  EXPECT_EQ(0, set.watch(interest, 3));
  EXPECT_EQ(3u, engine.registered[5].events);
  EXPECT_EQ(WaitSet::token_of(interest), engine.registered[5].token);
  EXPECT_EQ(5, WaitSet::descriptor_of(engine.registered[5].token));
  EXPECT_EQ(9u, WaitSet::generation_of(engine.registered[5].token));
}

TEST_F(WaitSetTest, SaysWhatTheEngineRefuses) {
  Interest& interest = set.insert(5);
  engine.error = -EPERM;
  EXPECT_EQ(-EPERM, set.watch(interest, 3));
  EXPECT_EQ(&interest, set.find(5));
}

TEST_F(WaitSetTest, TakesOverARegistrationThatTheEngineHasAlready) {
  engine.registered[5] = {1, 77};
  Interest& interest = set.insert(5);
  interest.generation = 9;
  EXPECT_EQ(0, set.watch(interest, 3));
  EXPECT_EQ(3u, engine.registered[5].events);
  EXPECT_EQ(9u, WaitSet::generation_of(engine.registered[5].token));
}

TEST_F(WaitSetTest, KeepsTheEntryOfWhatIsNoLongerWatched) {
  Interest& interest = set.insert(5);
  set.watch(interest, 3);
  EXPECT_EQ(0, set.unwatch(interest));
  EXPECT_TRUE(engine.registered.empty());
  EXPECT_EQ(-ENOENT, set.unwatch(interest));
  EXPECT_EQ(&interest, set.find(5));
}

TEST_F(WaitSetTest, ForgetsWithoutAskingTheEngine) {
  for (int fd : {5, 6, 7}) set.watch(set.insert(fd), 3);
  set.erase(set.find(5));
  set.erase_if([](const Interest& interest) { return interest.fd == 6; }, [](const Interest&) {});
  EXPECT_EQ(1u, set.size());
  EXPECT_EQ(nullptr, set.find(5));
  EXPECT_EQ(nullptr, set.find(6));
  EXPECT_EQ(3u, engine.registered.size());
}

TEST_F(WaitSetTest, LetsEventsStandUntilTheyAreTaken) {
  engine.events = {{1, 1, 0}, {2, 1, 0}, {3, 1, 0}};
  EXPECT_EQ(3, wait());
  EXPECT_EQ(1, engine.waits);
  EXPECT_LT(0, wait());  // answered by the ring
  EXPECT_EQ(1, engine.waits);
  EXPECT_EQ((Tokens{1, 2, 3}), take(2));
  EXPECT_EQ(0, wait());
  EXPECT_EQ(2, engine.waits);
}

TEST_F(WaitSetTest, SaysHowManyEventsStandInTheRing) {
  engine.events = {{1, 1, 0}, {2, 1, 0}, {3, 1, 0}};
  EXPECT_EQ(3, wait());
  EXPECT_EQ(3, wait());
  set.claim(1);
  set.commit();
  EXPECT_EQ(2, wait());
}

TEST_F(WaitSetTest, HasRoomForTheWholeRingAtEachWait) {
  for (int round = 0; round < 5; ++round) {
    for (std::uint64_t i = 0; i < 11; ++i) engine.events.push_back({i, 1, 0});
    EXPECT_EQ(8, wait());
    EXPECT_EQ((Tokens{0, 1, 2, 3, 4, 5, 6, 7}), take(3));
    EXPECT_EQ(3, wait());
    EXPECT_EQ((Tokens{8, 9, 10}), take());
  }
}

TEST_F(WaitSetTest, PassesTheEnginesErrorsOn) {
  for (int error : {-EINTR, -EBADF}) {
    engine.error = error;
    EXPECT_EQ(error, wait());
  }
  engine.error = 0;
  EXPECT_EQ(0, wait());
}

TEST_F(WaitSetTest, DiscardsWhatStandsInTheRing) {
  engine.events = {{1, 1, 0}, {2, 1, 0}};
  wait();
  set.claim(1);
  set.discard();
  EXPECT_EQ(Tokens{}, take());
  EXPECT_EQ(0, wait());
}

class EpollWaitSetTest : public WaitSetOn<engine::EpollEngine> {
 protected:
  EpollWaitSetTest() {
    engine.configure(scratch, 8, wake.get(), engine::plain_descriptors);
    EXPECT_EQ(0, engine.open());
    attach();
  }
  ~EpollWaitSetTest() override { engine.close(); }

  Descriptor wake = make_event(1);
  epoll_event scratch[8];
};

TEST_F(EpollWaitSetTest, BringsEventsOfWhatItWatches) {
  Pipe pipe = make_pipe();
  Interest& interest = set.insert(pipe.in.get());
  interest.generation = 3;
  ASSERT_EQ(0, set.watch(interest, POLLIN));
  EXPECT_EQ(0, set.wait(Deadline::after(kMillisecond), nullptr));
  put(pipe.out.get());
  EXPECT_EQ(1, set.wait(Deadline::never(), nullptr));
  EXPECT_EQ((Tokens{WaitSet::token_of(interest)}), take());
  EXPECT_EQ(1, set.wait(Deadline::now(), nullptr));  // level-triggered
}

TEST_F(EpollWaitSetTest, RefusesAsTheKernelDoes) {
  EXPECT_EQ(-EBADF, set.watch(set.insert(1'000'000), POLLIN));
  Descriptor file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(-EPERM, set.watch(set.insert(file.get()), POLLIN));
}

TEST_F(EpollWaitSetTest, WatchesTheNewFileOfANumber) {
  Descriptor first = make_event(1);
  int number = first.get();
  Interest& interest = set.insert(number);
  ASSERT_EQ(0, set.watch(interest, POLLIN));
  first.close();
  Descriptor second = make_event(1);
  ASSERT_EQ(number, second.get());
  EXPECT_EQ(0, set.wait(Deadline::now(), nullptr));
  interest.generation = 2;
  EXPECT_EQ(0, set.watch(interest, POLLIN));
  EXPECT_EQ(1, set.wait(Deadline::now(), nullptr));
  EXPECT_EQ((Tokens{WaitSet::token_of(interest)}), take());
}

TEST_F(EpollWaitSetTest, IsWokenByAnotherThread) {
  std::thread other([this] {
    sleep_ns(20 * kMillisecond);
    set.wake();
  });
  EXPECT_EQ(1, set.wait(Deadline::after(5 * kSecond), nullptr));
  EXPECT_EQ((Tokens{engine::kWakeToken}), take());
  other.join();
}

void nothing(int) {}

TEST_F(EpollWaitSetTest, IsInterruptedByAHandlerAndHasTakenNothing) {
  Handler handler(SIGALRM, nothing, SA_RESTART);
  RepeatedAlarm alarm(15);
  EXPECT_EQ(-EINTR, set.wait(Deadline::after(5 * kSecond), nullptr));
  EXPECT_EQ(Tokens{}, take());
}

}  // namespace
}  // namespace kev::wait
