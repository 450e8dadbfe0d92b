// The kernel-epoll engine: the contract's suite, and what is its own.
#include "engine/epoll_engine.hpp"

#include "cancel/sleep.hpp"
#include "engine/engine_test.hpp"

namespace kev::engine {
namespace {

struct EpollMaker {
  EpollMaker() {
    engine.configure(scratch, 64, wake.get(), plain_descriptors);
    EXPECT_EQ(0, engine.open());
  }
  ~EpollMaker() { engine.close(); }

  Descriptor wake = make_event(1);
  epoll_event scratch[64];
  EpollEngine engine;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Epoll, EngineTest, EpollMaker);

std::vector<int> adopted, discarded;
int adopt_higher(int fd) {
  int moved = ::fcntl(fd, F_DUPFD_CLOEXEC, 100);
  ::close(fd);
  adopted.push_back(moved);
  return moved;
}
void discard_higher(int fd) {
  ::close(fd);
  discarded.push_back(fd);
}
constexpr DescriptorPolicy kHigher = {adopt_higher, discard_higher};

int refuse(int fd) {
  ::close(fd);
  return -EMFILE;
}
constexpr DescriptorPolicy kRefusing = {refuse, discard_higher};

class EpollEngineTest : public ::testing::Test {
 protected:
  EpollEngineTest() {
    adopted.clear();
    discarded.clear();
  }
  epoll_event scratch[4];
  EpollEngine engine;
};

TEST_F(EpollEngineTest, TakesItsNumberFromThePolicyAndGivesItBack) {
  engine.configure(scratch, 4, -1, kHigher);
  EXPECT_EQ(0, engine.open());
  EXPECT_LE(100, engine.descriptor());
  EXPECT_EQ((std::vector<int>{engine.descriptor()}), adopted);
  engine.close();
  EXPECT_EQ(adopted, discarded);
  EXPECT_EQ(-1, engine.descriptor());
}

TEST_F(EpollEngineTest, IsClosedIfThePolicyRefuses) {
  const auto before = unit::open_descriptors();
  engine.configure(scratch, 4, -1, kRefusing);
  EXPECT_EQ(-EMFILE, engine.open());
  EXPECT_EQ(-1, engine.descriptor());
  EXPECT_EQ(before, unit::open_descriptors());
}

TEST_F(EpollEngineTest, IsClosedIfTheWakeDescriptorIsGone) {
  const auto before = unit::open_descriptors();
  engine.configure(scratch, 4, 1'000'000, plain_descriptors);
  EXPECT_EQ(-EBADF, engine.open());
  EXPECT_EQ(before, unit::open_descriptors());
}

TEST_F(EpollEngineTest, IsClosedOnExec) {
  engine.configure(scratch, 4, -1, plain_descriptors);
  engine.open();
  EXPECT_EQ(FD_CLOEXEC, ::fcntl(engine.descriptor(), F_GETFD));
  engine.close();
}

TEST_F(EpollEngineTest, HarvestsNoMoreThanItsScratchHolds) {
  engine.configure(scratch, 4, -1, plain_descriptors);
  engine.open();
  std::vector<Descriptor> ready;
  for (unsigned i = 0; i < 6; ++i) {
    ready.push_back(make_event(1));
    engine.add(ready.back().get(), POLLIN, i);
  }
  Event events[6];
  EXPECT_EQ(4, engine.wait(events, 6, Deadline::now(), nullptr));
  engine.close();
}

TEST_F(EpollEngineTest, CannotBeWokenWithoutAWakeDescriptor) {
  engine.configure(scratch, 4, -1, plain_descriptors);
  engine.open();
  EXPECT_EQ(-EBADF, engine.wake());
  engine.close();
}

TEST_F(EpollEngineTest, SaysSoIfItsSetWasClosedBehindItsBack) {
  engine.configure(scratch, 4, -1, plain_descriptors);
  engine.open();
  ::close(engine.descriptor());
  Event event;
  EXPECT_EQ(-EBADF, engine.wait(&event, 1, Deadline::after(kSecond), nullptr));
  engine.close();
  EXPECT_EQ(-1, engine.descriptor());
}

int flickering = -1;

// Another thread takes the event between the wake-up and the look.
int sleep_and_lose_the_event(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask) {
  if (flickering >= 0) add_to_event(flickering);
  const int result = ::ppoll(fds, count, timeout, mask);
  if (flickering >= 0) drain(flickering);
  flickering = -1;
  return result;
}

TEST_F(EpollEngineTest, GoesOnSleepingIfWhatWokeItIsGoneAgain) {
  engine.configure(scratch, 4, -1, plain_descriptors);
  engine.open();
  Descriptor event = make_event();
  engine.add(event.get(), POLLIN, 1);
  cancel::stand_in.ppoll = sleep_and_lose_the_event;
  flickering = event.get();
  Event out;
  Stopwatch watch;
  EXPECT_EQ(0, engine.wait(&out, 1, Deadline::after(5 * kMillisecond), nullptr));
  EXPECT_TRUE(watch.in_time(5 * kMillisecond));
  EXPECT_EQ(-1, flickering);
  cancel::stand_in.ppoll = nullptr;
  engine.close();
}

}  // namespace
}  // namespace kev::engine
