// Programs that are linked with libkev.so.1 do the same under the object, which leaves the library's descriptors alone.
#include <string>

#include "harness/compare.hpp"

using namespace preload_test;

TEST(NativeTest, QueuesGetTheNumbersThatTheyWouldGetAlone) { expect_same("native", "numbers", 500); }
TEST(NativeTest, AnArrayAndAQueueWatchTheSameDescriptors) { expect_same("native", "beside_an_array", 300); }
TEST(NativeTest, TheLibrarysDescriptorsAreLeftAlone) { expect_same("native", "left_alone", 100); }
TEST(NativeTest, CancelledThreadsLoseNothing) { expect_same("native", "cancelled", 20); }
// docs/differences.md: where the limit is met by a call that the object does not see it is met a few numbers earlier.
TEST(NativeTest, AlmostAsManyQueuesCanBeMadeAsAlone) {
  const Command command{.arguments = {program("native"), "limit"}};
  const Outcome native = run(command, By::nothing), loaded = run(command, By::preload);
  EXPECT_EQ(native.status, 0) << native.err;
  EXPECT_EQ(loaded.status, 0) << loaded.err;
  EXPECT_LE(std::stoi(native.out), std::stoi(loaded.out) + 1) << loaded.out;
}
