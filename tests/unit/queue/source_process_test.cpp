// The end of processes in a queue: status, times, reaping, and those that are no children.
#include <kev/kev.h>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/native_queue.hpp"

namespace {

using namespace native;

class Child {
 public:
  template <typename Body>
  explicit Child(Body body) : gate_(make_pipe(O_CLOEXEC)) {
    pid = ::fork();
    if (pid == 0) {
      char byte;
      gate_.out.close();
      while (::read(gate_.in.get(), &byte, 1) > 0) {
      }
      body();
      ::_exit(99);
    }
    pidfd = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  }
  void go() { gate_.out.close(); }
  bool is_to_be_reaped() const {
    siginfo_t info = {};
    return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
  }
  void reap() { ::waitpid(pid, nullptr, 0); }

  pid_t pid;
  Descriptor pidfd;

 private:
  Pipe gate_;
};

class SourceProcessTest : public FormTest {};
KEV_FORMS(SourceProcessTest);

TEST_P(SourceProcessTest, TellsTheStatusAndLeavesTheChildToBeReaped) {
  Child child([] { ::_exit(7); });
  ASSERT_EQ(0, kev_add_process(q, child.pidfd.get(), 0, 5));
  EXPECT_EQ(0u, queue.wait(kMillisecond).size());
  child.go();
  auto events = queue.wait(10 * kSecond);
  ASSERT_EQ(1u, events.size());
  EXPECT_EQ(KEV_EXIT, events[0].what);
  EXPECT_EQ(KEV_E_LAST, events[0].flags);
  EXPECT_EQ(7, events[0].result);
  EXPECT_EQ(static_cast<std::uint64_t>(CLD_EXITED), events[0].data[0]);
  EXPECT_EQ(static_cast<std::uint64_t>(child.pidfd.get()), events[0].ident);
  EXPECT_TRUE(child.is_to_be_reaped());
  EXPECT_EQ(0u, queue.wait().size());
  EXPECT_EQ(0u, queue.info().registrations);
  child.reap();
}

TEST_P(SourceProcessTest, TellsTheSignalAndReapsWhenAsked) {
  Child child([] { ::raise(SIGKILL); });
  ASSERT_EQ(0, kev_add_process(q, child.pidfd.get(), KEV_REAP, 0));
  child.go();
  auto events = queue.wait(10 * kSecond);
  ASSERT_EQ(1u, events.size());
  EXPECT_EQ(SIGKILL, events[0].result);
  EXPECT_EQ(static_cast<std::uint64_t>(CLD_KILLED), events[0].data[0]);
  EXPECT_FALSE(child.is_to_be_reaped());
}

TEST_P(SourceProcessTest, TellsWhatItHasUsed) {
  Child child([] {
    for (std::int64_t until = now_ns(CLOCK_PROCESS_CPUTIME_ID) + 20 * kMillisecond;
         now_ns(CLOCK_PROCESS_CPUTIME_ID) < until;) {
    }
    ::_exit(0);
  });
  ASSERT_EQ(0, kev_add_process(q, child.pidfd.get(), 0, 0));
  child.go();
  kev_claim claim;
  EXPECT_EQ(1, kev_sleep(q, kev_index(q), nullptr, nullptr));
  ASSERT_EQ(1, kev_claim_events(q, 1, &claim));
  EXPECT_LE(15 * static_cast<std::uint64_t>(kMillisecond), claim.events[0].data[1] + claim.events[0].data[2]);
  rusage usage = {};
  EXPECT_EQ(static_cast<int>(sizeof usage), kev_detail(q, &claim, 0, &usage, sizeof usage));
  EXPECT_LT(0, usage.ru_maxrss);
  EXPECT_EQ(0, kev_commit(q, &claim));
  child.reap();
}

TEST_P(SourceProcessTest, OfOneThatIsNoChildItTellsWhatTheKernelDoes) {
  Pipe pipe = make_pipe(O_CLOEXEC), gate = make_pipe(O_CLOEXEC);
  Child parent([&] {
    pid_t grandchild = ::fork();
    if (grandchild == 0) {
      char byte;
      gate.out.close();
      ::_exit(::read(gate.in.get(), &byte, 1) == 0 ? 5 : 6);
    }
    if (::write(pipe.out.get(), &grandchild, sizeof grandchild) < 0) ::_exit(1);
    gate.out.close();
    ::waitpid(grandchild, nullptr, 0);
    ::_exit(0);
  });
  parent.go();
  pid_t grandchild = 0;
  ASSERT_EQ(static_cast<ssize_t>(sizeof grandchild), ::read(pipe.in.get(), &grandchild, sizeof grandchild));
  Descriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, grandchild, 0)));
  ASSERT_EQ(0, kev_add_process(q, pidfd.get(), 0, 0));
  gate.out.close();
  auto events = queue.wait(10 * kSecond);
  ASSERT_EQ(1u, events.size());
  if ((events[0].flags & KEV_E_ERROR) != 0) {
    EXPECT_EQ(-EOPNOTSUPP, events[0].result);
  } else {
    EXPECT_EQ(5, events[0].result);
    EXPECT_EQ(static_cast<std::uint64_t>(CLD_EXITED), events[0].data[0]);
  }
  parent.reap();
}

}  // namespace
