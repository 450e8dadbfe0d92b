// Memory, descriptors and locked memory that are used up, and io_uring that is refused.
#include <cerrno>

#include "harness/compare.hpp"
#include "harness/programs.hpp"

using namespace preload_test;

namespace {

void expect_same_here(const std::string& scenario, long by_core) {
  expect_same(Command{.arguments = {faults::program("exhausted"), scenario}, .eager = true}, by_core);
}

// The program has the filter from before its start; `how` is empty, or kev-run, which tries the filter out.
void expect_same_refused(int error) {
  const Command plain = {.arguments = {faults::program("waits"), "polls"}};
  const Outcome native = run(plain, By::nothing);
  for (bool by_kev_run : {false, true}) {
    Command refused = plain;
    if (by_kev_run) refused.arguments.insert(refused.arguments.begin(), {kev_run(), "--"});
    refused.arguments.insert(refused.arguments.begin(), {faults::program("refusing"), std::to_string(error)});
    refused.eager = true;
    const Outcome loaded = run(refused, by_kev_run ? By::nothing : By::preload);
    EXPECT_EQ(loaded.status, 0) << loaded.err;
    EXPECT_EQ(loaded.out, native.out) << (by_kev_run ? "under kev-run" : "preloaded");
  }
}

}  // namespace

TEST(ExhaustedTest, AddressSpace) { expect_same_here("address_space", 100); }
TEST(ExhaustedTest, DescriptorsAtEveryNumber) { expect_same_here("descriptors", 100); }
TEST(ExhaustedTest, LockedMemory) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give its privileges up";
  expect_same_here("locked_memory", 20);
}
TEST(ExhaustedTest, IoUringIsNotPermitted) { expect_same_refused(EPERM); }
TEST(ExhaustedTest, IoUringIsNotThere) { expect_same_refused(ENOSYS); }
