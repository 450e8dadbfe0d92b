// epoll_create, epoll_create1 and epoll_ctl: what is made, what is refused, and with which errno.
//
// Programs live on these errors (EEXIST and ENOENT tell libuv what to do next), so each must be the kernel's own.
#include <sys/mman.h>
#include <sys/syscall.h>

#include "support/epoll_set.hpp"
#include "support/raw.hpp"
#include "support/temporary.hpp"

namespace conformance {
namespace {

TEST(EpollCreateTest, MakesASetWithTheFlagsAskedFor) {
  const Descriptor plain(::epoll_create1(0));
  const Descriptor private_one(::epoll_create1(EPOLL_CLOEXEC));
  const Descriptor old(::epoll_create(1));
  EXPECT_EQ(0, ::fcntl(plain.get(), F_GETFD));
  EXPECT_EQ(FD_CLOEXEC, ::fcntl(private_one.get(), F_GETFD));
  EXPECT_EQ(0, ::fcntl(old.get(), F_GETFD));
}

TEST(EpollCreateTest, TakesTheLowestFreeNumber) {
  Descriptor free_one(::dup(0));
  const int number = free_one.get();
  free_one.close();
  const Descriptor set(::epoll_create1(EPOLL_CLOEXEC));
  EXPECT_EQ(number, set.get());
}

TEST(EpollCreateTest, BadSizesAndFlagsAreInvalid) {
  for (const int size : {0, -1}) EXPECT_FAILS(EINVAL, ::epoll_create(size));
  for (const int flags : {1, -1, EPOLL_CLOEXEC | 1}) EXPECT_FAILS(EINVAL, ::epoll_create1(flags));
}

TEST(EpollControlTest, DescriptorsThatAreNotOpenAreBad) {
  const EpollSet set;
  const Descriptor event = make_event();
  Descriptor gone = make_event();
  const int closed = gone.get();
  gone.close();
  EXPECT_FAILS(EBADF, set.add(closed, EPOLLIN));
  EXPECT_FAILS(EBADF, set.add(-1, EPOLLIN));
  EXPECT_FAILS(EBADF, set.remove(closed));
  epoll_event wanted{EPOLLIN, {}};
  EXPECT_FAILS(EBADF, ::epoll_ctl(-1, EPOLL_CTL_ADD, event.get(), &wanted));
  EXPECT_FAILS(EBADF, ::epoll_ctl(closed, EPOLL_CTL_ADD, event.get(), &wanted));
}

TEST(EpollControlTest, DescriptorThatIsNoSetIsInvalid) {
  const Descriptor event = make_event();
  const Descriptor other = make_event();
  epoll_event wanted{EPOLLIN, {}};
  EXPECT_FAILS(EINVAL, ::epoll_ctl(other.get(), EPOLL_CTL_ADD, event.get(), &wanted));
  EXPECT_FAILS(EINVAL, ::epoll_wait(other.get(), &wanted, 1, 0));
}

TEST(EpollControlTest, AddingTwiceExistsAndChangingTheUnknownDoesNot) {
  const EpollSet set;
  const Descriptor event = make_event();
  EXPECT_FAILS(ENOENT, set.modify(event.get(), EPOLLIN));
  EXPECT_FAILS(ENOENT, set.remove(event.get()));
  for (int turn = 0; turn < 3; ++turn) {
    EXPECT_EQ(0, set.add(event.get(), EPOLLIN));
    EXPECT_FAILS(EEXIST, set.add(event.get(), EPOLLOUT));
    EXPECT_EQ(0, set.count());  // the refused call changed nothing
    EXPECT_EQ(0, set.modify(event.get(), EPOLLOUT));
    EXPECT_EQ(1, set.count());
    EXPECT_EQ(0, set.remove(event.get()));
    EXPECT_FAILS(ENOENT, set.remove(event.get()));
    EXPECT_EQ(0, set.count());
  }
}

TEST(EpollControlTest, FilesThatCannotBeWaitedForAreRefused) {
  const EpollSet set;
  const TemporaryFolder folder;
  const Descriptor file(::open(folder.file("file").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  const Descriptor directory(::open(folder.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const Descriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int fd : {file.get(), directory.get(), null.get()}) EXPECT_FAILS(EPERM, set.add(fd, EPOLLIN));
}

TEST(EpollControlTest, SetCannotWatchItself) {
  const EpollSet set;
  EXPECT_FAILS(EINVAL, set.add(set.get(), EPOLLIN));
}

TEST(EpollControlTest, CyclesAndDeepNestsAreLoops) {
  const EpollSet chain[6];
  for (int depth = 1; depth < 5; ++depth) ASSERT_EQ(0, chain[depth].add(chain[depth - 1].get(), EPOLLIN)) << depth;
  EXPECT_FAILS(ELOOP, chain[0].add(chain[1].get(), EPOLLIN));
  EXPECT_FAILS(ELOOP, chain[5].add(chain[4].get(), EPOLLIN) | chain[0].add(chain[5].get(), EPOLLIN));
}

TEST(EpollControlTest, UnknownOperationIsInvalid) {
  const EpollSet set;
  const Descriptor event = make_event();
  for (const int operation : {0, 4, -1}) EXPECT_FAILS(EINVAL, set.control(operation, event.get(), EPOLLIN));
}

TEST(EpollControlTest, UnreadableEventIsAFaultExceptForRemoval) {
  const EpollSet set;
  const Descriptor event = make_event();
  auto* nowhere = reinterpret_cast<epoll_event*>(8);
  EXPECT_FAILS(EFAULT, ::epoll_ctl(set.get(), EPOLL_CTL_ADD, event.get(), nowhere));
  epoll_event* volatile none = nullptr;
  EXPECT_FAILS(EFAULT, ::epoll_ctl(set.get(), EPOLL_CTL_ADD, event.get(), none));
  ASSERT_EQ(0, set.add(event.get(), EPOLLIN));
  EXPECT_FAILS(EFAULT, ::epoll_ctl(set.get(), EPOLL_CTL_MOD, event.get(), nowhere));
  EXPECT_EQ(0, ::epoll_ctl(set.get(), EPOLL_CTL_DEL, event.get(), nowhere));
}

TEST(EpollControlTest, ExclusiveIsForAddingPlainEventsOnly) {
  const EpollSet set;
  const EpollSet inner;
  const Descriptor event = make_event();
  EXPECT_FAILS(EINVAL, set.add(inner.get(), EPOLLIN | EPOLLEXCLUSIVE));
  EXPECT_FAILS(EINVAL, set.add(event.get(), EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT));
  EXPECT_FAILS(EINVAL, set.add(event.get(), EPOLLPRI | EPOLLEXCLUSIVE));
  ASSERT_EQ(0, set.add(event.get(), EPOLLIN | EPOLLEXCLUSIVE | EPOLLET));
  EXPECT_FAILS(EINVAL, set.modify(event.get(), EPOLLIN));
  EXPECT_FAILS(EINVAL, set.modify(event.get(), EPOLLIN | EPOLLEXCLUSIVE));
  EXPECT_EQ(0, set.remove(event.get()));
  ASSERT_EQ(0, set.add(event.get(), EPOLLIN));
  EXPECT_FAILS(EINVAL, set.modify(event.get(), EPOLLIN | EPOLLEXCLUSIVE));
}

TEST(EpollControlTest, SetMadeByTheSyscallFunctionOrInstructionIsASet) {
  const EpollSet by_function(static_cast<int>(::syscall(SYS_epoll_create1, EPOLL_CLOEXEC)));
  const EpollSet by_instruction(static_cast<int>(raw_call(SYS_epoll_create1, EPOLL_CLOEXEC)));
  for (const EpollSet* set : {&by_function, &by_instruction}) {
    const Descriptor event = make_event(1);
    epoll_event wanted{EPOLLIN, {}};
    wanted.data.u64 = 5;
    ASSERT_EQ(0, ::syscall(SYS_epoll_ctl, set->get(), EPOLL_CTL_ADD, event.get(), &wanted));
    EXPECT_FAILS(EEXIST, set->add(event.get(), EPOLLIN));
    const auto events = set->wait();
    ASSERT_EQ(1U, events.size());
    EXPECT_EQ(5U, events[0].data.u64);
    epoll_event got{};
    EXPECT_EQ(1, ::syscall(SYS_epoll_pwait, set->get(), &got, 1, 0, nullptr, 8));
    EXPECT_EQ(5U, got.data.u64);
    EXPECT_FAILS(EBADF, ::syscall(SYS_epoll_ctl, -1, EPOLL_CTL_DEL, event.get(), &wanted));
  }
}

TEST(EpollControlTest, ErrnoIsUntouchedOnSuccess) {
  const Descriptor event = make_event(1);
  errno = 4242;
  const EpollSet set;
  ASSERT_EQ(0, set.add(event.get(), EPOLLIN));
  ASSERT_EQ(0, set.modify(event.get(), EPOLLIN | EPOLLOUT));
  ASSERT_EQ(1, set.count());
  ASSERT_EQ(0, set.remove(event.get()));
  ASSERT_EQ(0, set.count());
  EXPECT_EQ(4242, errno);
}

TEST(EpollControlTest, DeletionMayTakeNoEvent) {
  const EpollSet set;
  const Descriptor event = make_event(1);
  ASSERT_EQ(0, set.add(event.get(), EPOLLIN));
  EXPECT_EQ(1, set.count());
  EXPECT_EQ(0, ::epoll_ctl(set.get(), EPOLL_CTL_DEL, event.get(), nullptr));
  EXPECT_EQ(0, set.count());
}

}  // namespace
}  // namespace conformance
