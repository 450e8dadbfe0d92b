// Where nearly everything is ready the kernel's own call is the cheapest, and nothing is spent to find that out.
#include "harness/compare.hpp"

using namespace preload_test;

namespace {

Command chosen_by_cost(const std::string& scenario) {
  return {.arguments = {program("crowded"), scenario}, .engine = "auto"};
}

}  // namespace

TEST(CrowdedTest, ArraysAndSetsOfWhichNearlyAllIsReadyAreNotMirrored) {
  const Outcome loaded = expect_same(chosen_by_cost("all_ready"), 0);
  EXPECT_EQ(loaded.report.by_core(), 0) << loaded.report.json();
}

TEST(CrowdedTest, OnesThatBecomeQuietAre) { expect_same(chosen_by_cost("then_quiet"), 500); }
