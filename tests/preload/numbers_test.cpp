// Descriptor numbers: the lowest free one, as without the object.
#include "harness/compare.hpp"

using namespace preload_test;

TEST(NumbersTest, EveryCallReturnsTheNumberThatItWouldReturnAlone) { expect_same("numbers", "sequence", 500); }
TEST(NumbersTest, TheFirstNumbersBesideAMirrorAreThoseOfTheProgramAlone) {
  expect_same("numbers", "first_numbers", 500);
}
TEST(NumbersTest, TheLastFreeNumbersAmongThoseTakenAreThoseOfTheProgramAlone) {
  expect_same("numbers", "lowest_numbers_taken", 500);
}
TEST(NumbersTest, CallsInsideTheCLibraryReturnTheNumbersThatTheyWouldReturnAlone) {
  expect_same("numbers", "unseen_sequence", 100);
}
TEST(NumbersTest, AnyNumberCanBeTaken) { expect_same("numbers", "takes_any_number", 1000); }
TEST(NumbersTest, ThePrivateOnesAreClosedForTheProgramAndGoneAfterExec) { expect_same("numbers", "hidden", 40); }
TEST(NumbersTest, ADuplicateTakesAMirroredNumbersPlaceAtOnce) { expect_same("numbers", "replaced_in_the_array", 100); }
TEST(NumbersTest, ANumberThatIsNotOpenStaysSoWhileItIsPolled) { expect_same("numbers", "not_open_in_the_array", 1); }
