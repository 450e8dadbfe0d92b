// Which children find that they are children: all that have memory of their own.
#include "process/generation.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "process/vfork.hpp"
#include "support/child.hpp"

extern "C" __attribute__((returns_twice, visibility("hidden"))) pid_t kev_vfork();

namespace kev::process {
namespace {

using namespace conformance;

class GenerationTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(mark_generation()); }
};

TEST_F(GenerationTest, TheProcessThatMarkedItIsNoChild) { EXPECT_FALSE(is_forked_child()); }

TEST_F(GenerationTest, AForkedChildIsOneUntilItMarksItAgain) {
  EXPECT_EQ(0, run_in_child([] {
    REQUIRE_IN_CHILD(is_forked_child());
    mark_generation_again();
    REQUIRE_IN_CHILD(!is_forked_child());
    // And its own children are children.
    REQUIRE_IN_CHILD(run_in_child([] { REQUIRE_IN_CHILD(is_forked_child()); }) == 0);
    REQUIRE_IN_CHILD(!is_forked_child());
  }));
  EXPECT_FALSE(is_forked_child());
}

TEST_F(GenerationTest, AChildOfTheBareSystemCallIsOne) {
  const pid_t child = static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
  if (child == 0) ::_exit(is_forked_child() ? 0 : 1);
  EXPECT_EQ(0, status_of(child));
}

volatile int seen_depth = -1;
volatile bool seen_child = false;

TEST_F(GenerationTest, AChildOfVforkIsNotAndKnowsThatItIsInItsParentsMemory) {
  EXPECT_FALSE(in_vfork_child());
  const pid_t child = kev_vfork();
  if (child == 0) {
    seen_depth = kev_vfork_depth;
    seen_child = is_forked_child();
    ::_exit(7);
  }
  ASSERT_LT(0, child);
  EXPECT_EQ(7, status_of(child));
  EXPECT_EQ(1, seen_depth);
  EXPECT_FALSE(seen_child);
  EXPECT_FALSE(in_vfork_child());
}

TEST(VforkTest, LetsTheChildExec) {
  const pid_t child = kev_vfork();
  if (child == 0) {
    ::execl("/bin/sh", "sh", "-c", "exit 9", nullptr);
    ::_exit(1);
  }
  EXPECT_EQ(9, status_of(child));
  EXPECT_EQ(0, kev_vfork_depth);
}

TEST(VforkTest, CountsVforksOfAVforkedChild) {
  const pid_t child = kev_vfork();
  if (child == 0) {
    const pid_t grandchild = kev_vfork();
    if (grandchild == 0) {
      seen_depth = kev_vfork_depth;
      ::_exit(0);
    }
    ::_exit(kev_vfork_depth == 1 ? 0 : 1);
  }
  EXPECT_EQ(0, status_of(child));
  EXPECT_EQ(2, seen_depth);
  EXPECT_EQ(0, kev_vfork_depth);
}

TEST(VforkTest, FailsAsVforkDoes) {
  EXPECT_EQ(0, run_in_child([] {
    rlimit none{0, 0};
    REQUIRE_IN_CHILD(::setrlimit(RLIMIT_NPROC, &none) == 0);
    if (::getuid() == 0) REQUIRE_IN_CHILD(::setuid(65534) == 0);
    errno = 0;
    const pid_t child = kev_vfork();
    if (child == 0) ::_exit(0);
    REQUIRE_IN_CHILD(child == -1 && errno == EAGAIN);
    REQUIRE_IN_CHILD(kev_vfork_depth == 0);
  }));
}

}  // namespace
}  // namespace kev::process
