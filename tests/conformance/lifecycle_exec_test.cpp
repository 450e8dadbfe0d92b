// exec: the program that takes over a process polls the descriptors that it inherits, under their numbers.
//
// The case runs this same program once more in a child, with a filter for the one case that plays the new image and the
// descriptors named in its environment; run by itself that case makes its own.
#include <stdlib.h>
#include <string.h>

#include "support/child.hpp"
#include "support/epoll_set.hpp"
#include "support/padded_array.hpp"

namespace conformance {
namespace {

constexpr char kInherited[] = "CONFORMANCE_INHERITED";

TEST(LifecycleImageTest, PollsWhatItInherited) {
  Pipe pipe;
  int in;
  int out;
  int set;
  const EpollSet own;
  if (const char* inherited = ::getenv(kInherited)) {
    ASSERT_EQ(3, ::sscanf(inherited, "%d,%d,%d", &in, &out, &set));
  } else {
    pipe = make_pipe();
    in = pipe.in.get();
    out = pipe.out.get();
    set = own.get();
    ASSERT_EQ(0, own.add(in, EPOLLIN, 6));
  }
  PaddedArray array({"Among40", 40});
  array.add(in, POLLIN);
  epoll_event event;
  for (int turn = 0; turn < 3; ++turn) {
    ASSERT_TRUE(array.keeps_answering({0}));
    ASSERT_EQ(0, ::epoll_wait(set, &event, 1, 0));
    put(out);
    ASSERT_TRUE(array.keeps_answering({POLLIN}));
    ASSERT_EQ(1, ::epoll_wait(set, &event, 1, 0));
    ASSERT_EQ(6U, event.data.u64);
    drain(in);
  }
}

class LifecycleExecTest : public ArrayTest {};
CONFORMANCE_FEW_SHAPES(LifecycleExecTest);

TEST_P(LifecycleExecTest, NewImagePollsInheritedDescriptors) {
  const Pipe pipe = make_pipe(O_NONBLOCK);
  const EpollSet set(::epoll_create1(0));
  ASSERT_EQ(0, set.add(pipe.in.get(), EPOLLIN, 6));
  array.add(pipe.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  const int status = run_in_child([&] {
    char numbers[64];
    ::snprintf(numbers, sizeof numbers, "%d,%d,%d", pipe.in.get(), pipe.out.get(), set.get());
    ::setenv(kInherited, numbers, 1);
    ::unsetenv("GTEST_OUTPUT");
    ::unsetenv("GTEST_SHARD_INDEX");
    ::unsetenv("GTEST_TOTAL_SHARDS");
    REQUIRE_IN_CHILD(array.keeps_answering({0}));
    const Descriptor null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    ::dup2(null.get(), 1);
    ::execl("/proc/self/exe", "image", "--gtest_filter=LifecycleImageTest.*", static_cast<char*>(nullptr));
  });
  EXPECT_EQ(0, status);
  EXPECT_TRUE(array.keeps_answering({0}));
}

TEST_P(LifecycleExecTest, OnlyWhatTheProgramMadeIsInherited) {
  const Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  const Pipe listing = make_pipe(O_CLOEXEC);
  const pid_t child = start_child([&] {
    ::closefrom(::dup2(listing.out.get(), 3) + 1);  // descriptors handed to the test itself are none of its business
    ::dup2(3, 1);
    ::close(3);
    REQUIRE_IN_CHILD(array.call() == static_cast<int>(array.size()));
    const Pipe fresh = make_pipe();
    for (pollfd& entry : array.entries()) entry.fd = fresh.in.get();
    for (int round = 0; round < kRounds; ++round) REQUIRE_IN_CHILD(array.call() == 0);
    ::execlp("sh", "sh", "-c", "for fd in /proc/self/fd/*; do [ -e \"$fd\" ] && echo \"${fd##*/}\"; done",
             static_cast<char*>(nullptr));
  });
  char text[4096];
  std::string all;
  pollfd ready{listing.in.get(), POLLIN, 0};
  while (all.find("2\n") == std::string::npos && ::poll(&ready, 1, 10'000) == 1) {
    const ssize_t length = ::read(listing.in.get(), text, sizeof text);
    if (length <= 0) break;
    all.append(text, static_cast<std::size_t>(length));
  }
  status_of(child);
  for (int fd = 4; fd < 1024; ++fd)
    EXPECT_EQ(std::string::npos, ("\n" + all).find("\n" + std::to_string(fd) + "\n")) << fd;
}

TEST_P(LifecycleExecTest, ExecFromAThreadIsAsGood) {
  const Pipe pipe = make_pipe();
  array.add(pipe.in.get(), POLLIN);
  expect_in_child([&] {
    REQUIRE_IN_CHILD(array.keeps_answering({0}));
    ::pthread_t thread;
    auto body = [](void*) -> void* {
      ::execlp("true", "true", static_cast<char*>(nullptr));
      return nullptr;
    };
    REQUIRE_IN_CHILD(::pthread_create(&thread, nullptr, body, nullptr) == 0);
    array.call(20'000);
    ::_exit(3);
  });
}

}  // namespace
}  // namespace conformance
