// Which kinds of descriptor may be watched in the program's stead.
#include "mirror/eligible.hpp"

#include <gtest/gtest.h>
#include <linux/memfd.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include <string>

#include "support/descriptor.hpp"
#include "support/temporary.hpp"

namespace kev::mirror {
namespace {

using namespace conformance;

Kind kind_of(const Descriptor& fd) {
  errno = 4242;
  Kind kind = mirror::kind_of(fd.get());
  EXPECT_EQ(4242, errno);
  return kind;
}

Descriptor open_path(const char* path, int flags = O_RDONLY) { return Descriptor(::open(path, flags | O_CLOEXEC)); }

TEST(EligibleTest, PipesAndFifosAre) {
  Pipe pipe = make_pipe();
  EXPECT_EQ(Kind::watchable, kind_of(pipe.in));
  EXPECT_EQ(Kind::watchable, kind_of(pipe.out));
  TemporaryFolder folder;
  ASSERT_EQ(0, ::mkfifo(folder.file("fifo").c_str(), 0600));
  EXPECT_EQ(Kind::watchable, kind_of(open_path(folder.file("fifo").c_str(), O_RDWR)));
}

TEST(EligibleTest, SocketsAre) {
  for (int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET})
    EXPECT_EQ(Kind::watchable, kind_of(make_socketpair(type).in));
  sockaddr_in address;
  EXPECT_EQ(Kind::watchable, kind_of(make_bound_socket(SOCK_STREAM, address)));
  EXPECT_EQ(Kind::watchable, kind_of(make_bound_socket(SOCK_DGRAM, address)));
}

TEST(EligibleTest, TerminalsAreNot) {
  Descriptor master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_EQ(0, ::grantpt(master.get()));
  ASSERT_EQ(0, ::unlockpt(master.get()));
  EXPECT_EQ(Kind::kernel_only, kind_of(master));
  EXPECT_EQ(Kind::kernel_only, kind_of(open_path(::ptsname(master.get()), O_RDWR | O_NOCTTY)));
}

TEST(EligibleTest, EventfdsTimerfdsInotifyAndPidfdsAre) {
  EXPECT_EQ(Kind::watchable, kind_of(make_event()));
  EXPECT_EQ(Kind::watchable, kind_of(Descriptor(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC))));
  EXPECT_EQ(Kind::watchable, kind_of(Descriptor(::inotify_init1(IN_CLOEXEC))));
  EXPECT_EQ(Kind::watchable, kind_of(Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)))));
}

TEST(EligibleTest, ACopyIsWhatItsOriginalIs) {
  Descriptor event = make_event();
  EXPECT_EQ(Kind::watchable, kind_of(Descriptor(::fcntl(event.get(), F_DUPFD_CLOEXEC, 123))));
  EXPECT_EQ(Kind::watchable, kind_of(Descriptor(::fcntl(event.get(), F_DUPFD_CLOEXEC, 1000))));
}

TEST(EligibleTest, SignalfdsAndEpollSetsAreNot) {
  sigset_t set;
  sigemptyset(&set);
  EXPECT_EQ(Kind::kernel_only, kind_of(Descriptor(::signalfd(-1, &set, SFD_CLOEXEC))));
  EXPECT_EQ(Kind::kernel_only, kind_of(Descriptor(::epoll_create1(EPOLL_CLOEXEC))));
}

TEST(EligibleTest, FilesFoldersAndMemoryAreNot) {
  EXPECT_EQ(Kind::kernel_only, kind_of(open_path("/proc/self/exe")));
  EXPECT_EQ(Kind::kernel_only, kind_of(open_path("/")));
  EXPECT_EQ(Kind::kernel_only, kind_of(open_path("/", O_PATH)));
  EXPECT_EQ(Kind::kernel_only, kind_of(Descriptor(::memfd_create("x", MFD_CLOEXEC))));
}

TEST(EligibleTest, FilesOfProcThatConsumeWhatTheyReportAreNot) {
  EXPECT_EQ(Kind::kernel_only, kind_of(open_path("/proc/self/mounts")));
  EXPECT_EQ(Kind::kernel_only, kind_of(open_path("/proc/swaps")));
}

TEST(EligibleTest, OtherDevicesAreNot) {
  EXPECT_EQ(Kind::kernel_only, kind_of(open_path("/dev/null")));
  EXPECT_EQ(Kind::kernel_only, kind_of(open_path("/dev/urandom")));
}

TEST(EligibleTest, AFileWithTheNameOfAnAnonymousOneIsNot) {
  TemporaryFolder folder;
  EXPECT_EQ(Kind::kernel_only, kind_of(open_path(folder.file("anon_inode:[eventfd]").c_str(), O_RDWR | O_CREAT)));
}

TEST(EligibleTest, ClosedNumbersAreClosed) {
  EXPECT_EQ(Kind::closed, mirror::kind_of(-1));
  EXPECT_EQ(Kind::closed, mirror::kind_of(1'000'000));
  EXPECT_EQ(Kind::closed, mirror::kind_of(INT32_MAX));
}

}  // namespace
}  // namespace kev::mirror
