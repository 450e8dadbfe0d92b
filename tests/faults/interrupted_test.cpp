// Signals that find a thread in the stub, a million of them.
#include "harness/compare.hpp"
#include "harness/programs.hpp"

using namespace preload_test;

namespace {

Outcome run_with(const char* signals, bool counted, By by) {
  const Command command = {
      .arguments = {faults::program("interrupted"), "interrupted", signals}, .counted = counted, .seconds = 230};
  const Outcome outcome = run(command, by);
  EXPECT_EQ(outcome.status, 0) << outcome.out << outcome.err;
  EXPECT_EQ(outcome.err, "");
  return outcome;
}

}  // namespace

TEST(InterruptedTest, AMillionSignalsInCallsLoseNothingAndRepeatNothing) {
  const Outcome native = run_with("50000", false, By::nothing);
  EXPECT_EQ(run_with("50000", true, By::preload).out, native.out);
  EXPECT_EQ(run_with("1000000", false, By::preload).out, native.out);
}
