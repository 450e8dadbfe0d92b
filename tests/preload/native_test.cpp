// Programs that are linked with libkev.so.1 do the same under the object, which leaves the library's descriptors alone.
#include "harness/compare.hpp"

using namespace preload_test;

TEST(NativeTest, QueuesGetTheNumbersThatTheyWouldGetAlone) { expect_same("native", "numbers", 500); }
TEST(NativeTest, AnArrayAndAQueueWatchTheSameDescriptors) { expect_same("native", "beside_an_array", 300); }
TEST(NativeTest, TheLibrarysDescriptorsAreLeftAlone) { expect_same("native", "left_alone", 100); }
TEST(NativeTest, CancelledThreadsLoseNothing) { expect_same("native", "cancelled", 20); }
