// poll: what each kind of file reports, alone and among idle entries.
//
// Sockets of the network have their own file, poll_socket_test.cpp. Some kinds change their state by being polled
// (mount tables), are always ready (regular files), or depend on who asks (signalfd): each must be reported as the
// kernel does, whatever else stands in the array and however often it was polled before.
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#include "support/child.hpp"
#include "support/padded_array.hpp"
#include "support/signals.hpp"
#include "support/temporary.hpp"

namespace conformance {
namespace {

class PollReadinessTest : public ArrayTest {};
CONFORMANCE_EVERY_SHAPE(PollReadinessTest);

TEST_P(PollReadinessTest, PipeIsReadableWhileItHoldsData) {
  const Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  for (int turn = 0; turn < 3; ++turn) {
    put(pipe.out.get());
    EXPECT_TRUE(array.keeps_answering({POLLIN}));
    drain(pipe.in.get());
    EXPECT_TRUE(array.keeps_answering({0}));
  }
}

TEST_P(PollReadinessTest, ReportsDataLeftUnread) {
  const Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  put(pipe.out.get(), "abc");
  char byte;
  for (int left = 3; left > 0; --left) {
    EXPECT_TRUE(array.keeps_answering({POLLIN}));
    ASSERT_EQ(1, ::read(pipe.in.get(), &byte, 1));
  }
  EXPECT_TRUE(array.keeps_answering({0}));
}

TEST_P(PollReadinessTest, PipeIsWritableUntilItIsFull) {
  const Pipe pipe = make_pipe();
  array.add(pipe.out.get(), POLLOUT);
  EXPECT_TRUE(array.keeps_answering({POLLOUT}));
  fill(pipe.out.get());
  EXPECT_TRUE(array.keeps_answering({0}));
  drain(pipe.in.get());
  EXPECT_TRUE(array.keeps_answering({POLLOUT}));
}

TEST_P(PollReadinessTest, PipeHangsUpWhenItsWriterGoes) {
  Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  put(pipe.out.get());
  pipe.out.close();
  EXPECT_TRUE(array.keeps_answering({POLLIN | POLLHUP}));
  drain(pipe.in.get());
  EXPECT_TRUE(array.keeps_answering({POLLHUP}));
}

TEST_P(PollReadinessTest, PipeFailsWhenItsReaderGoes) {
  Pipe pipe = make_pipe();
  array.add(pipe.out.get(), POLLOUT);
  EXPECT_TRUE(array.keeps_answering({POLLOUT}));
  pipe.in.close();
  EXPECT_TRUE(array.keeps_answering({POLLOUT | POLLERR}));
}

TEST_P(PollReadinessTest, FifoFollowsItsWriters) {
  const TemporaryFolder folder;
  const std::string path = folder.file("fifo");
  ASSERT_EQ(0, ::mkfifo(path.c_str(), 0600));
  const Descriptor reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  array.add(reader.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  for (int turn = 0; turn < 3; ++turn) {
    Descriptor writer(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    EXPECT_TRUE(array.keeps_answering({0}));
    put(writer.get());
    EXPECT_TRUE(array.keeps_answering({POLLIN}));
    drain(reader.get());
    EXPECT_TRUE(array.keeps_answering({0}));
    writer.close();
    EXPECT_TRUE(array.keeps_answering({POLLHUP}));
  }
}

TEST_P(PollReadinessTest, EventCounterIsReadableWhenNotZeroAndWritableUnlessFull) {
  const Descriptor event = make_event();
  array.add(event.get(), POLLIN | POLLOUT);
  EXPECT_TRUE(array.keeps_answering({POLLOUT}));
  add_to_event(event.get());
  EXPECT_TRUE(array.keeps_answering({POLLIN | POLLOUT}));
  drain(event.get());
  EXPECT_TRUE(array.keeps_answering({POLLOUT}));
  add_to_event(event.get(), UINT64_MAX - 1);
  EXPECT_TRUE(array.keeps_answering({POLLIN}));
  drain(event.get());
  EXPECT_TRUE(array.keeps_answering({POLLOUT}));
}

TEST_P(PollReadinessTest, TimerIsReadableOnceItHasExpired) {
  const Descriptor timer(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  array.add(timer.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  for (int turn = 0; turn < 3; ++turn) {
    const itimerspec soon{{0, 0}, {0, 20'000'000}};
    const Stopwatch watch;
    ASSERT_EQ(0, ::timerfd_settime(timer.get(), 0, &soon, nullptr));
    EXPECT_TRUE(array.answers({POLLIN}, 10'000));
    EXPECT_TRUE(watch.in_time(20 * kMillisecond));
    EXPECT_TRUE(array.keeps_answering({POLLIN}));
    drain(timer.get());
    EXPECT_TRUE(array.keeps_answering({0}));
  }
}

TEST_P(PollReadinessTest, SignalDescriptorIsReadableWhileItsSignalIsPending) {
  const Blocked blocked(SIGUSR1);
  const sigset_t set = set_of(SIGUSR1);
  const Descriptor signals(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  array.add(signals.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  ASSERT_EQ(0, ::raise(SIGUSR1));
  EXPECT_TRUE(array.keeps_answering({POLLIN}));
  drain(signals.get());
  EXPECT_TRUE(array.keeps_answering({0}));
  ASSERT_EQ(0, ::kill(::getpid(), SIGUSR1));
  EXPECT_TRUE(array.keeps_answering({POLLIN}));
  drain(signals.get());
}

TEST_P(PollReadinessTest, InotifyIsReadableAfterAChange) {
  const TemporaryFolder folder;
  const Descriptor notify(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  ASSERT_LE(0, ::inotify_add_watch(notify.get(), folder.path().c_str(), IN_CREATE));
  array.add(notify.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  const Descriptor made(::open(folder.file("new").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  EXPECT_TRUE(array.keeps_answering({POLLIN}));
  drain(notify.get());
  EXPECT_TRUE(array.keeps_answering({0}));
}

TEST_P(PollReadinessTest, ProcessDescriptorIsReadableAfterTheEnd) {
  const Pipe leash = make_pipe(O_CLOEXEC);
  const pid_t child = start_child([&] {
    char byte;
    REQUIRE_IN_CHILD(::read(leash.in.get(), &byte, 1) == 1);
  });
  const int fd = static_cast<int>(::syscall(SYS_pidfd_open, child, 0));
  if (fd < 0) {
    ::kill(child, SIGKILL);
    status_of(child);
    GTEST_SKIP() << "no pidfd_open here (it came with Linux 5.3): errno " << errno;
  }
  const Descriptor process(fd);
  array.add(process.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  put(leash.out.get());
  EXPECT_TRUE(array.answers({POLLIN}, 10'000));
  EXPECT_TRUE(array.keeps_answering({POLLIN}));
  EXPECT_EQ(0, status_of(child));
  EXPECT_TRUE(array.keeps_agreeing());
}

TEST_P(PollReadinessTest, TerminalReportsInputAndHangUp) {
  const Descriptor master(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_EQ(0, ::grantpt(master.get()));
  ASSERT_EQ(0, ::unlockpt(master.get()));
  Descriptor slave(::open(::ptsname(master.get()), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  array.add(master.get(), POLLIN);
  array.add(slave.get(), POLLIN | POLLOUT);
  EXPECT_TRUE(array.keeps_answering({0, POLLOUT}));
  put(slave.get(), "out");
  EXPECT_TRUE(array.keeps_answering({POLLIN, POLLOUT}));
  drain(master.get());
  put(master.get(), "line\n");  // echoed, so both sides have something to read
  for (const Stopwatch watch; !array.answers({POLLIN, POLLIN | POLLOUT}) && watch.prompt();) sleep_ns(kMillisecond);
  EXPECT_TRUE(array.keeps_answering({POLLIN, POLLIN | POLLOUT}));
  drain(master.get());
  array.subject(1).fd = -1;
  slave.close();
  EXPECT_TRUE(array.keeps_answering({POLLHUP, 0}));
}

// What was written waits for a kernel thread; the kernel's poll() does not.
TEST_P(PollReadinessTest, TerminalIsReadableAtOnceWhenItsOtherSideHasWritten) {
  const Descriptor master(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_EQ(0, ::grantpt(master.get()));
  ASSERT_EQ(0, ::unlockpt(master.get()));
  const Descriptor slave(::open(::ptsname(master.get()), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  array.add(master.get(), POLLIN);
  for (int round = 0; round < 100; ++round) {
    EXPECT_TRUE(array.answers({0}));
    put(slave.get());
    ASSERT_TRUE(array.answers({POLLIN})) << round;
    drain(master.get());
  }
}

TEST_P(PollReadinessTest, RegularFilesAreAlwaysReady) {
  const TemporaryFolder folder;
  const Descriptor file(::open(folder.file("data").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  const Descriptor memory(::memfd_create("memory", MFD_CLOEXEC));
  const Descriptor directory(::open(folder.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  array.add(file.get(), POLLIN | POLLOUT);
  array.add(memory.get(), POLLIN);
  array.add(directory.get(), POLLIN | POLLPRI);
  array.add(file.get(), 0);
  EXPECT_TRUE(array.keeps_answering({POLLIN | POLLOUT, POLLIN, POLLIN, 0}));
}

TEST_P(PollReadinessTest, DevicesWithoutAWaitQueueAreAlwaysReady) {
  const Descriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const Descriptor zero(::open("/dev/zero", O_RDWR | O_CLOEXEC));
  array.add(null.get(), POLLIN | POLLOUT);
  array.add(zero.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({POLLIN | POLLOUT, POLLIN}));
}

TEST_P(PollReadinessTest, PathDescriptorIsInvalid) {
  const Descriptor path(::open("/", O_PATH | O_CLOEXEC));
  array.add(path.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({POLLNVAL}));
}

TEST_P(PollReadinessTest, EpollSetIsReadableWhileOneOfItsEntriesIsReady) {
  const Descriptor event = make_event();
  const Descriptor inner(::epoll_create1(EPOLL_CLOEXEC));
  const Descriptor outer(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event wanted{EPOLLIN, {}};
  ASSERT_EQ(0, ::epoll_ctl(inner.get(), EPOLL_CTL_ADD, event.get(), &wanted));
  ASSERT_EQ(0, ::epoll_ctl(outer.get(), EPOLL_CTL_ADD, inner.get(), &wanted));
  array.add(inner.get(), POLLIN);
  array.add(outer.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0, 0}));
  add_to_event(event.get());
  EXPECT_TRUE(array.keeps_answering({POLLIN, POLLIN}));
  drain(event.get());
  EXPECT_TRUE(array.keeps_answering({0, 0}));
}

TEST_P(PollReadinessTest, PollingAnEpollSetDoesNotDeepenIt) {
  std::vector<Descriptor> chain;
  for (int depth = 0; depth < 5; ++depth) chain.push_back(Descriptor(::epoll_create1(EPOLL_CLOEXEC)));
  array.add(chain[0].get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  const Descriptor event = make_event(1);
  epoll_event wanted{EPOLLIN, {}};
  ASSERT_EQ(0, ::epoll_ctl(chain[0].get(), EPOLL_CTL_ADD, event.get(), &wanted));
  for (std::size_t depth = 1; depth < chain.size(); ++depth) {
    ASSERT_EQ(0, ::epoll_ctl(chain[depth].get(), EPOLL_CTL_ADD, chain[depth - 1].get(), &wanted)) << depth;
    EXPECT_TRUE(array.keeps_answering({POLLIN}));
  }
}

TEST_P(PollReadinessTest, MountTableIsReadable) {
  const Descriptor mounts(::open("/proc/self/mounts", O_RDONLY | O_CLOEXEC));
  array.add(mounts.get(), POLLIN);
  array.add(mounts.get(), POLLPRI);
  EXPECT_TRUE(array.keeps_answering({POLLIN, 0}));
}

TEST_P(PollReadinessTest, MountTableReportsAChangeOnce) {
  const int status = run_in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) ::_exit(77);
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) ::_exit(77);
    const Descriptor mounts(::open("/proc/self/mounts", O_RDONLY | O_CLOEXEC));
    array.add(mounts.get(), POLLPRI);
    REQUIRE_IN_CHILD(array.keeps_answering({0}));
    for (int turn = 0; turn < 3; ++turn) {
      if (::mount("none", "/proc", "tmpfs", 0, nullptr) != 0) ::_exit(77);
      REQUIRE_IN_CHILD(array.answers({POLLPRI | POLLERR}));
      REQUIRE_IN_CHILD(array.keeps_answering({0}));
    }
  });
  if (status == 77) GTEST_SKIP() << "may not make a mount namespace here";
  EXPECT_EQ(0, status);
}

TEST_P(PollReadinessTest, UnixSocketsOfEveryTypeCarryData) {
  for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
    PaddedArray each(GetParam());
    const Pipe pair = make_socketpair(type);
    each.add(pair.in.get(), POLLIN | POLLOUT);
    EXPECT_TRUE(each.keeps_answering({POLLOUT})) << type;
    put(pair.out.get());
    EXPECT_TRUE(each.keeps_answering({POLLIN | POLLOUT})) << type;
    char buffer[8];
    ASSERT_EQ(1, ::recv(pair.in.get(), buffer, sizeof buffer, 0));
    EXPECT_TRUE(each.keeps_answering({POLLOUT})) << type;
  }
}

TEST_P(PollReadinessTest, UnixStreamReportsEachKindOfEnd) {
  Pipe pair = make_socketpair(SOCK_STREAM);
  array.add(pair.in.get(), POLLIN | POLLRDHUP);
  EXPECT_TRUE(array.keeps_answering({0}));
  ASSERT_EQ(0, ::shutdown(pair.out.get(), SHUT_WR));
  EXPECT_TRUE(array.keeps_answering({POLLIN | POLLRDHUP}));
  pair.out.close();
  EXPECT_TRUE(array.keeps_answering({POLLIN | POLLRDHUP | POLLHUP}));
}

TEST_P(PollReadinessTest, SocketsThatWereFilledAreWritableAgainAfterARead) {
  for (const int type : {SOCK_STREAM, SOCK_SEQPACKET}) {
    PaddedArray each(GetParam());
    const Pipe pair = make_socketpair(type);
    each.add(pair.in.get(), POLLOUT);
    EXPECT_TRUE(each.keeps_answering({POLLOUT}));
    fill(pair.in.get());
    EXPECT_TRUE(each.keeps_answering({0}));
    drain(pair.out.get());
    EXPECT_TRUE(each.keeps_answering({POLLOUT}));
  }
}

}  // namespace
}  // namespace conformance
