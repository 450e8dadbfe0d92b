// Forks: a child that polls its parent's arrays at once, and a parent that must not feel what its child does.
//
// fork in a plain and in a threaded process, vfork, the fork system call behind libc's back, grandchildren.
#include <spawn.h>
#include <sys/syscall.h>

#include <atomic>
#include <thread>

#include "support/child.hpp"
#include "support/padded_array.hpp"

extern char** environ;

namespace conformance {
namespace {

class LifecycleForkTest : public ArrayTest {
 protected:
  void SetUp() override {
    array.add(pipe.in.get(), POLLIN);
    array.add(other.in.get(), POLLIN);
    EXPECT_TRUE(array.keeps_answering({0, 0}));
  }
  // What a child does that has the array to itself.
  void poll_as_a_child() {
    REQUIRE_IN_CHILD(array.answers({0, 0}));
    put(pipe.out.get());
    REQUIRE_IN_CHILD(array.keeps_answering({POLLIN, 0}));
    REQUIRE_IN_CHILD(array.answers({POLLIN, 0}, 20'000));
    drain(pipe.in.get());
    REQUIRE_IN_CHILD(array.answers({0, 0}, 8));
    pipe.in.close();
    REQUIRE_IN_CHILD(array.keeps_answering({POLLNVAL, 0}));
  }
  void parent_is_as_before() {
    EXPECT_TRUE(array.keeps_answering({0, 0}));
    put(pipe.out.get());
    EXPECT_TRUE(array.keeps_answering({POLLIN, 0}));
    drain(pipe.in.get());
    put(other.out.get());
    EXPECT_TRUE(array.answers({0, POLLIN}, 20'000));
    EXPECT_TRUE(array.keeps_answering({0, POLLIN}));
    drain(other.in.get());
  }
  Pipe pipe = make_pipe();
  Pipe other = make_socketpair(SOCK_STREAM);
};
CONFORMANCE_EVERY_SHAPE(LifecycleForkTest);

TEST_P(LifecycleForkTest, ChildPollsTheSameArrayAtOnce) {
  for (int turn = 0; turn < 3; ++turn) {
    expect_in_child([&] { poll_as_a_child(); });
    parent_is_as_before();
  }
}

TEST_P(LifecycleForkTest, ChildOfTheSystemCallPollsTheSameArrayAtOnce) {
  for (int turn = 0; turn < 3; ++turn) {
    const pid_t child = static_cast<pid_t>(raw_call(SYS_clone, SIGCHLD));  // fork, as libc does not see it
    if (child == 0) {
      poll_as_a_child();
      ::_exit(0);
    }
    EXPECT_EQ(0, status_of(child));
    parent_is_as_before();
  }
}

TEST_P(LifecycleForkTest, ChildOfAThreadedProcessPollsTheSameArrayAtOnce) {
  std::atomic<bool> stop = false;
  std::vector<std::thread> pollers;
  for (int i = 0; i < 2; ++i) {
    pollers.emplace_back([&stop, own = std::vector<pollfd>(array.entries())]() mutable {
      while (!stop) ::poll(own.data(), own.size(), 1);
    });
  }
  for (int turn = 0; turn < 4; ++turn) {
    expect_in_child([&] { poll_as_a_child(); });
    EXPECT_TRUE(array.keeps_answering({0, 0}));
  }
  stop = true;
  for (std::thread& poller : pollers) poller.join();
  parent_is_as_before();
}

TEST_P(LifecycleForkTest, ChildMayStartThreadsThatPoll) {
  expect_in_child([&] {
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([own = std::vector<pollfd>(array.entries())]() mutable {
        for (int round = 0; round < kRounds; ++round) REQUIRE_IN_CHILD(::poll(own.data(), own.size(), 1) == 0);
      });
    }
    for (std::thread& thread : threads) thread.join();
    poll_as_a_child();
  });
  parent_is_as_before();
}

TEST_P(LifecycleForkTest, GrandchildPollsTheSameArrayAtOnce) {
  expect_in_child([&] {
    REQUIRE_IN_CHILD(array.keeps_answering({0, 0}));
    REQUIRE_IN_CHILD(run_in_child([&] { poll_as_a_child(); }) == 0);
    REQUIRE_IN_CHILD(array.keeps_answering({0, 0}));
  });
  parent_is_as_before();
}

TEST_P(LifecycleForkTest, ParentAndChildPollAtTheSameTime) {
  const pid_t child = start_child([&] {
    REQUIRE_IN_CHILD(array.answers({0, POLLIN}, 20'000));
    REQUIRE_IN_CHILD(array.keeps_answering({0, POLLIN}));
  });
  sleep_ns(3 * kMillisecond);
  put(other.out.get());
  EXPECT_TRUE(array.answers({0, POLLIN}, 20'000));
  EXPECT_EQ(0, status_of(child));
  drain(other.in.get());
  parent_is_as_before();
}

TEST_P(LifecycleForkTest, ChildThatReusesANumberDoesNotChangeItsParent) {
  expect_in_child([&] {
    const Descriptor event = make_event(1);
    REQUIRE_IN_CHILD(::dup2(event.get(), pipe.in.get()) == pipe.in.get());
    REQUIRE_IN_CHILD(array.keeps_answering({POLLIN, 0}));
    ::closefrom(3);
  });
  parent_is_as_before();
}

// The child of a vfork shares the memory, but not the descriptors.
__attribute__((noinline)) pid_t vfork_and_close(int first, int second, int replacement) {
  const pid_t child = ::vfork();
  if (child == 0) {
    ::close(first);
    ::dup2(replacement, second);
    ::closefrom(3);
    ::_exit(0);
  }
  return child;
}

TEST_P(LifecycleForkTest, ClosesOfAVforkChildAreItsOwn) {
  const Descriptor event = make_event(1);
  for (int turn = 0; turn < 3; ++turn) {
    const pid_t child = vfork_and_close(pipe.in.get(), other.in.get(), event.get());
    ASSERT_LT(0, child);
    EXPECT_TRUE(array.answers({0, 0}));
    EXPECT_EQ(0, status_of(child));
    parent_is_as_before();
  }
}

__attribute__((noinline)) pid_t vfork_and_exec(const char* program) {
  char* arguments[] = {const_cast<char*>(program), nullptr};
  const pid_t child = ::vfork();
  if (child == 0) {
    ::close(0);
    ::execv(program, arguments);
    ::_exit(127);
  }
  return child;
}

TEST_P(LifecycleForkTest, ExecOfAVforkChildLeavesTheParentAlone) {
  EXPECT_EQ(0, status_of(vfork_and_exec("/bin/true")));
  parent_is_as_before();
  EXPECT_EQ(127, status_of(vfork_and_exec("/nonexistent/program")));
  parent_is_as_before();
}

TEST_P(LifecycleForkTest, SpawnedProgramLeavesTheParentAlone) {
  posix_spawn_file_actions_t actions;
  ASSERT_EQ(0, ::posix_spawn_file_actions_init(&actions));
  ASSERT_EQ(0, ::posix_spawn_file_actions_addclose(&actions, pipe.in.get()));
  ASSERT_EQ(0, ::posix_spawn_file_actions_adddup2(&actions, pipe.out.get(), other.in.get()));
  char name[] = "true";
  char* arguments[] = {name, nullptr};
  pid_t child = -1;
  ASSERT_EQ(0, ::posix_spawnp(&child, "true", &actions, nullptr, arguments, environ));
  EXPECT_EQ(0, status_of(child));
  ::posix_spawn_file_actions_destroy(&actions);
  parent_is_as_before();
}

TEST_P(LifecycleForkTest, FailedExecLeavesTheProcessAlone) {
  char name[] = "program";
  char* arguments[] = {name, nullptr};
  for (int turn = 0; turn < 2; ++turn) {
    EXPECT_EQ(-1, ::execv("/nonexistent/program", arguments));
    EXPECT_EQ(ENOENT, errno);
    EXPECT_EQ(-1, ::execve("/", arguments, environ));
    EXPECT_EQ(EACCES, errno);
    parent_is_as_before();
  }
}

TEST_P(LifecycleForkTest, DaemonPollsAfterItsForkAndCloses) {
  const Pipe report = make_pipe(O_CLOEXEC);
  const pid_t child = start_child([&] {
    if (::daemon(1, 1) != 0) ::_exit(2);
    poll_as_a_child();
    put(report.out.get());
  });
  EXPECT_EQ(0, status_of(child));
  pollfd done{report.in.get(), POLLIN, 0};
  EXPECT_EQ(1, ::poll(&done, 1, 20'000));
  parent_is_as_before();
}

}  // namespace
}  // namespace conformance
