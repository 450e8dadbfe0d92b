// select and pselect: which bits are set for which state of which file.
//
// Readable covers hang-ups and errors, writable covers errors, exceptional is urgent data; a descriptor may stand in
// several sets and counts once for each.
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include <random>

#include "support/descriptor_sets.hpp"
#include "support/signals.hpp"

namespace conformance {
namespace {

class SelectReadinessTest : public SetsTest {};
CONFORMANCE_EVERY_SPAN(SelectReadinessTest);

TEST_P(SelectReadinessTest, PipeIsReadableWhileItHoldsData) {
  Pipe pipe = make_pipe();
  const Descriptor in = sets.place(std::move(pipe.in));
  sets.want(in.get(), kRead);
  for (int turn = 0; turn < 3; ++turn) {
    EXPECT_TRUE(sets.keeps_answering({}));
    put(pipe.out.get());
    EXPECT_TRUE(sets.keeps_answering({{in.get(), kRead}}));
    drain(in.get());
  }
}

TEST_P(SelectReadinessTest, ReportsDataLeftUnread) {
  Pipe pipe = make_pipe();
  const Descriptor in = sets.place(std::move(pipe.in));
  sets.want(in.get(), kRead);
  put(pipe.out.get(), "abc");
  char byte;
  for (int left = 3; left > 0; --left) {
    EXPECT_TRUE(sets.keeps_answering({{in.get(), kRead}}));
    ASSERT_EQ(1, ::read(in.get(), &byte, 1));
  }
  EXPECT_TRUE(sets.keeps_answering({}));
}

TEST_P(SelectReadinessTest, SocketCountsOnceForEachSet) {
  Pipe pair = make_socketpair(SOCK_STREAM);
  const Descriptor fd = sets.place(std::move(pair.in));
  sets.want(fd.get(), kRead | kWrite | kExcept);
  EXPECT_TRUE(sets.keeps_answering({{fd.get(), kWrite}}));
  put(pair.out.get());
  EXPECT_TRUE(sets.keeps_answering({{fd.get(), kRead | kWrite}}));
  fill(fd.get());
  EXPECT_TRUE(sets.keeps_answering({{fd.get(), kRead}}));
  drain(fd.get());
  EXPECT_TRUE(sets.keeps_answering({}));
  drain(pair.out.get());
  EXPECT_TRUE(sets.keeps_answering({{fd.get(), kWrite}}));
}

TEST_P(SelectReadinessTest, HangUpIsReadableAndErrorIsBoth) {
  Pipe first = make_pipe();
  Pipe second = make_pipe();
  const Descriptor in = sets.place(std::move(first.in));
  const Descriptor out = sets.place(std::move(second.out));
  sets.want(in.get(), kRead | kWrite | kExcept);
  sets.want(out.get(), kRead | kWrite | kExcept);
  EXPECT_TRUE(sets.keeps_answering({{out.get(), kWrite}}));
  first.out.close();
  EXPECT_TRUE(sets.keeps_answering({{in.get(), kRead}, {out.get(), kWrite}}));
  second.in.close();
  EXPECT_TRUE(sets.keeps_answering({{in.get(), kRead}, {out.get(), kRead | kWrite}}));
}

TEST_P(SelectReadinessTest, HangUpInTheWritableSetAloneIsNotReported) {
  Pipe pipe = make_pipe();
  const Descriptor in = sets.place(std::move(pipe.in));
  sets.want(in.get(), kWrite | kExcept);
  pipe.out.close();
  EXPECT_TRUE(sets.keeps_answering({}));
  EXPECT_TRUE(sets.answers({}, 10 * kMillisecond));
  const Stopwatch watch;
  EXPECT_TRUE(sets.answers({}, 20 * kMillisecond));
  EXPECT_TRUE(watch.in_time(20 * kMillisecond));
}

TEST_P(SelectReadinessTest, UrgentDataIsExceptional) {
  Pipe pair = make_tcp_pair();
  const Descriptor fd = sets.place(std::move(pair.in));
  sets.want(fd.get(), kExcept);
  EXPECT_TRUE(sets.keeps_answering({}));
  ASSERT_EQ(1, ::send(pair.out.get(), "!", 1, MSG_OOB));
  EXPECT_TRUE(sets.answers({{fd.get(), kExcept}}, 20 * kSecond));
  EXPECT_TRUE(sets.keeps_answering({{fd.get(), kExcept}}));
  sets.want(fd.get(), kRead | kWrite | kExcept);
  EXPECT_TRUE(sets.keeps_agreeing());
  char byte;
  ASSERT_EQ(1, ::recv(fd.get(), &byte, 1, MSG_OOB));
  EXPECT_TRUE(sets.keeps_agreeing());
}

TEST_P(SelectReadinessTest, OtherKindsOfFileAreFollowed) {
  const Descriptor event = sets.place(make_event());
  const Descriptor timer = sets.place(Descriptor(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)));
  const Descriptor memory = sets.place(Descriptor(::memfd_create("memory", MFD_CLOEXEC)));
  const Descriptor null = sets.place(Descriptor(::open("/dev/null", O_RDWR | O_CLOEXEC)));
  sets.want(event.get(), kRead | kWrite);
  sets.want(timer.get(), kRead);
  sets.want(memory.get(), kRead | kExcept);
  sets.want(null.get(), kWrite);
  const std::vector<WatchedSets::Ready> always = {{event.get(), kWrite}, {memory.get(), kRead}, {null.get(), kWrite}};
  EXPECT_TRUE(sets.keeps_answering(always));
  sets.want(memory.get(), 0);
  sets.want(null.get(), 0);
  EXPECT_TRUE(sets.keeps_answering({{event.get(), kWrite}}));
  add_to_event(event.get());
  EXPECT_TRUE(sets.keeps_answering({{event.get(), kRead | kWrite}}));
  sets.want(event.get(), 0);
  const itimerspec soon{{0, 0}, {0, 10'000'000}};
  ASSERT_EQ(0, ::timerfd_settime(timer.get(), 0, &soon, nullptr));
  EXPECT_TRUE(sets.answers({{timer.get(), kRead}}, 20 * kSecond));
  drain(timer.get());
  EXPECT_TRUE(sets.keeps_answering({}));
}

TEST_P(SelectReadinessTest, EpollSetsAndSignalDescriptorsAreFollowed) {
  const Blocked blocked(SIGUSR1);
  const sigset_t mask = set_of(SIGUSR1);
  const Descriptor signals = sets.place(Descriptor(::signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC)));
  const Descriptor epoll = sets.place(Descriptor(::epoll_create1(EPOLL_CLOEXEC)));
  const Descriptor event = make_event();
  epoll_event wanted{EPOLLIN, {}};
  ASSERT_EQ(0, ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, event.get(), &wanted));
  sets.want(signals.get(), kRead);
  sets.want(epoll.get(), kRead | kWrite);
  EXPECT_TRUE(sets.keeps_answering({}));
  ::raise(SIGUSR1);
  EXPECT_TRUE(sets.keeps_answering({{signals.get(), kRead}}));
  add_to_event(event.get());
  EXPECT_TRUE(sets.keeps_answering({{signals.get(), kRead}, {epoll.get(), kRead}}));
  drain(signals.get());
  drain(event.get());
  EXPECT_TRUE(sets.keeps_answering({}));
}

TEST_P(SelectReadinessTest, SetsThatChangeBetweenCallsAreFollowed) {
  Pipe pair = make_socketpair(SOCK_STREAM);
  const Descriptor first = sets.place(std::move(pair.in));
  const Descriptor second = sets.place(std::move(pair.out));
  put(first.get());
  for (unsigned what = 0; what < 64; ++what) {
    sets.want(first.get(), what & 7);
    sets.want(second.get(), what >> 3);
    ASSERT_TRUE(sets.answers({{first.get(), what & kWrite}, {second.get(), (what >> 3) & (kRead | kWrite)}})) << what;
  }
}

TEST_P(SelectReadinessTest, RandomStepsAgreeWithTheKernel) {
  const Handler no_broken_pipes(SIGPIPE, SIG_IGN);
  std::mt19937 random(static_cast<unsigned>(GetParam().numbers) + GetParam().by_pselect);
  std::vector<Descriptor> fds;
  for (int i = 0; i < 4; ++i) {
    Pipe pair = i % 2 ? make_pipe() : make_socketpair(SOCK_STREAM);
    fds.push_back(sets.place(std::move(pair.in)));
    fds.push_back(sets.place(std::move(pair.out)));
  }
  std::vector<unsigned> wanted(fds.size(), 0);
  char buffer[64];
  for (int step = 0; step < 600; ++step) {
    const std::size_t at = random() % fds.size();
    const int fd = fds[at].get();
    switch (random() % 6) {
      case 0: sets.want(fd, random() % 8); break;
      case 1: (void)!::write(fd, "12345678", 8); break;
      case 2: (void)!::read(fd, buffer, sizeof buffer); break;
      case 3: ::dup2(fds[random() % fds.size()].get(), fd); break;
      case 4: {
        ::close(fd);  // and without its number in the sets, or with it, select fails
        ASSERT_TRUE(sets.agrees_with_kernel()) << "step " << step;
        const Descriptor event = make_event(random() % 2);
        ASSERT_EQ(fd, ::dup2(event.get(), fd));
        break;
      }
      default: break;
    }
    ASSERT_TRUE(sets.agrees_with_kernel()) << "step " << step;
    ASSERT_TRUE(sets.agrees_with_kernel()) << "step " << step;
  }
}

}  // namespace
}  // namespace conformance
