// Cancellation of threads: everywhere it should be, nothing lost, nobody disturbed, everything cleaned up.
#include "harness/compare.hpp"

using namespace preload_test;

namespace {

void expect_like_natively(const std::string& scenario) { expect_same("cancel", scenario, 0); }

// What the C library alone gets wrong.
void expect_right(const std::string& scenario) {
  for (const bool counted : {true, false}) {
    const Outcome loaded = run({.arguments = {program("cancel"), scenario}, .counted = counted}, By::preload);
    EXPECT_EQ(loaded.status, 0) << scenario << "\n" << loaded.out << loaded.err;
    EXPECT_EQ(loaded.err, "") << scenario;
  }
}

}  // namespace

TEST(CancelTest, EveryPointIsOne) { expect_like_natively("every_point"); }
TEST(CancelTest, TheCLibrarysOwnPointsStayPoints) { expect_like_natively("libcs_points"); }
TEST(CancelTest, TheCLibrarysOwnPointsLookFirst) { expect_right("libcs_points_with_the_result_there"); }
TEST(CancelTest, TheAsynchronousTypeEndsThreadsAnywhere) { expect_like_natively("asynchronous_type"); }

TEST(CancelTest, NoByteOfAReadIsLost) { expect_right("contest_read"); }
TEST(CancelTest, NoByteOfARecvIsLost) { expect_right("contest_recv"); }
TEST(CancelTest, NoConnectionIsLost) { expect_right("contest_accept"); }
TEST(CancelTest, NoOpenedFileIsLost) { expect_right("contest_open"); }
TEST(CancelTest, NoEdgeIsLost) { expect_right("contest_epoll_edge"); }
TEST(CancelTest, NoOneShotEventIsLost) { expect_right("contest_epoll_oneshot"); }
TEST(CancelTest, NoSignalIsLost) { expect_right("contest_sigwait"); }
TEST(CancelTest, NoMessageIsLost) { expect_right("contest_msgrcv"); }
TEST(CancelTest, NoChildsStatusIsLost) { expect_right("contest_waitpid"); }

TEST(CancelTest, AnEventGoesToTheWaiterThatIsLeft) {
  for (const char* scenario : {"shared_level", "shared_edge", "shared_oneshot"}) expect_right(scenario);
}
TEST(CancelTest, APollInTheCoreLeavesNothingBehind) { expect_same("cancel", "in_a_mirrored_poll", 1000); }

TEST(CancelTest, CleanupHandlersDestructorsAndKeysRunInOrder) { expect_like_natively("way_out"); }
TEST(CancelTest, CleanupHandlersHaveTheThreadsMask) { expect_like_natively("mask_in_cleanup"); }
TEST(CancelTest, StateAndTypeAreTheCLibrarys) { expect_like_natively("state_and_type"); }
TEST(CancelTest, AThreadThatHasItDisabledIsNotDisturbed) { expect_like_natively("disabled_is_undisturbed"); }

TEST(CancelTest, BothVersionsOfTheNamesAreInterposed) { expect_like_natively("both_versions"); }

TEST(CancelTest, AThreadThatEndsInSystemTakesItsShellWithIt) { expect_like_natively("ended_in_system"); }

TEST(CancelTest, WorksUnderAFilter) {
  expect_like_natively("under_a_filter");
  expect_like_natively("before_and_under_a_filter");
}

TEST(CancelTest, WorksAfterAJumpOutOfACall) {
  expect_right("jumped_out_then_elsewhere");
  expect_like_natively("jumped_out_then_asleep");
  expect_right("jumped_out_then_enabled_by_a_handler");
}

TEST(CancelTest, AChildOfVforkGoesOnWhenItsParentIsCancelled) { expect_right("a_vfork_childs_parent_is_cancelled"); }

TEST(CancelTest, IsTheCLibrarysWithTheEngineOff) {
  for (const char* scenario : {"libcs_points", "asynchronous_type", "way_out", "state_and_type", "both_versions"}) {
    const Command command = {.arguments = {program("cancel"), scenario}, .environment = {"KEV_ENGINE=off"}};
    expect_same(command, 0);
  }
}
