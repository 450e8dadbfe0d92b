// Doorbells: a set that is asked again and again is answered as natively, and from memory.
#include "harness/compare.hpp"

using namespace preload_test;

namespace {

// As natively, and at least `from_memory` of the calls without the kernel.
void expect_answers(const char* scenario, long from_memory, const char* call = "epoll_wait") {
  const Outcome kev = expect_same({.arguments = {program("doorbell"), scenario}, .engine = "auto"}, 0);
  EXPECT_GE(kev.report.figure(call, "no_kernel"), from_memory) << kev.report.json();
}

}  // namespace

TEST(DoorbellTest, AnEmptySetIsAnsweredFromMemory) { expect_answers("silent", 9000); }
TEST(DoorbellTest, WhatComesIsReported) { expect_answers("rings", 10000); }
TEST(DoorbellTest, AnEdgeIsReportedOnce) { expect_answers("rings_at_an_edge", 10000); }
TEST(DoorbellTest, AOneshotIsReportedOnceAndAgainOnceItIsArmed) { expect_answers("rings_once", 10000); }
TEST(DoorbellTest, OtherArgumentsAreTheKernelsToJudge) { expect_answers("judges_its_arguments", 100); }
TEST(DoorbellTest, AClosedSetIsSeenAtOnce) { expect_answers("is_closed", 500); }
TEST(DoorbellTest, AReplacedSetIsSeenAtOnce) { expect_answers("is_replaced", 100); }
TEST(DoorbellTest, ASetReplacedByAnotherThreadIsSeenAtOnce) { expect_answers("is_replaced_elsewhere", 1000); }
TEST(DoorbellTest, AClosedSetLeavesTheSetThatItStandsIn) { expect_answers("stands_in_another", 300); }
TEST(DoorbellTest, AClosedSetLeavesTheSetThatItWasPutInUnseen) { expect_answers("stands_in_another_unseen", 300); }
TEST(DoorbellTest, NoFileIsHeld) { expect_answers("holds_no_file", 300); }
TEST(DoorbellTest, AForkedChildAsksForItself) { expect_answers("is_forked", 1000); }
TEST(DoorbellTest, AChildOfVforkChangesNothing) { expect_answers("is_vforked", 100); }
TEST(DoorbellTest, SeveralThreadsMayAskOneSet) { expect_answers("is_asked_by_two", 0); }
TEST(DoorbellTest, ARequestForCancellationIsActedOn) { expect_answers("is_cancelled", 1000); }
TEST(DoorbellTest, AHandlerMayAskToo) { expect_answers("is_asked_by_a_handler", 100); }
TEST(DoorbellTest, AnArrayOfWhichNothingIsReadyIsAnsweredFromMemory) { expect_answers("array", 5000, "poll"); }
TEST(DoorbellTest, AnArrayWhosePrivateSetBeginsAnewHasAnotherBell) {
  expect_answers("array_begins_anew", 1000, "poll");
}
TEST(DoorbellTest, SetsOfWhichNothingIsReadyAreAnsweredFromMemory) { expect_answers("sets", 5000, "select"); }

namespace {

Outcome expect_spins(const char* scenario) {
  Command command = {.arguments = {program("doorbell"), scenario}};
  command.engine = "auto";
  command.environment = {"KEV_SPIN_USEC=200", "KEV_BELL_AFTER=4"};
  return expect_same(command, 0);
}

}  // namespace

TEST(DoorbellTest, AWaitThatWatchesMemoryGetsItsEvents) { expect_spins("spins"); }
TEST(DoorbellTest, AWaitThatWatchesMemoryEndsAtItsTime) { expect_spins("spins_and_times_out"); }
TEST(DoorbellTest, AWaitThatWatchesMemoryIsInterrupted) { expect_spins("spins_and_is_interrupted"); }
TEST(DoorbellTest, AWaitThatWatchesMemoryIsCancelled) { expect_spins("spins_and_is_cancelled"); }
