// Many of everything: signals, descriptors, threads; and clocks that jump.
#include <glob.h>

#include "harness/compare.hpp"
#include "harness/programs.hpp"

using namespace preload_test;

namespace {

constexpr int kSkipped = 77;  // programs/clocks.cpp's, without time namespaces

Outcome expect_same_here(const std::string& name, const std::string& scenario, long by_core) {
  return expect_same(Command{.arguments = {faults::program(name), scenario}, .eager = true}, by_core);
}

void expect_same_across(const std::string& jump) {
  const Command command = {.arguments = {faults::program("clocks"), jump}, .eager = true};
  if (run(command, By::nothing).status == kSkipped) GTEST_SKIP() << "the kernel gives no time namespace";
  expect_same(command, 20);
}

std::string faketime() {
  glob_t found = {};
  std::string path;
  if (::glob("/usr/lib/*/faketime/libfaketimeMT.so.1", 0, nullptr, &found) == 0) path = found.gl_pathv[0];
  ::globfree(&found);
  return path;
}

}  // namespace

TEST(StormTest, NoneOfAHundredThousandSignalsAndNoEventIsLost) { expect_same_here("storm", "storm", 10); }
TEST(StormTest, ASignalInterruptsTheWaitThatItFindsAsleep) { expect_same_here("storm", "one_at_a_time", 0); }
TEST(ChurnTest, TenThousandDescriptorsComeAndGo) { expect_same_here("churn", "churn", 300); }
TEST(CrowdTest, SixtyFourThreadsShareAnArray) { expect_same_here("crowd", "on_an_array", 0); }
TEST(CrowdTest, SixtyFourThreadsShareASet) { expect_same_here("crowd", "on_a_set", 0); }
TEST(ClockTest, WaitsAreRightAcrossAJumpForward) { expect_same_across("forward"); }
TEST(ClockTest, WaitsAreRightAcrossAJumpBack) { expect_same_across("back"); }

TEST(ClockTest, WaitsTakeTheirTimeWhileFakedClocksJump) {
  if (faketime().empty()) GTEST_SKIP() << "libfaketime is not installed";
  const std::string stamp = "/tmp/kev-faults-" + std::to_string(::getpid()) + ".time";
  for (bool in_front : {false, true}) {
    Command command = {.arguments = {faults::program("clocks"), "faked"},
                       .environment = {"FAKETIME_TIMESTAMP_FILE=" + stamp, "FAKETIME_NO_CACHE=1"},
                       .eager = true};
    command.before = faketime();
    const Outcome native = run(command, By::nothing);
    EXPECT_EQ(native.status, 0) << native.err;
    if (in_front) std::swap(command.before, command.after);
    const Outcome loaded = run(command, By::preload);
    EXPECT_EQ(loaded.status, 0) << loaded.err;
    EXPECT_EQ(loaded.out, native.out);
  }
  ::unlink(stamp.c_str());
}
