// Beside other interposers, in front of them and behind them.
#include <glob.h>

#include "harness/compare.hpp"

using namespace preload_test;

namespace {

std::string faketime() {
  glob_t found = {};
  std::string path;
  if (::glob("/usr/lib/*/faketime/libfaketimeMT.so.1", 0, nullptr, &found) == 0) path = found.gl_pathv[0];
  ::globfree(&found);
  return path;
}

std::string interposer() { return program("interposer.so"); }

// The program beside `other` alone, and with the object in front of it or behind it.
Outcome expect_same_beside(const std::string& other, bool in_front, Command command) {
  Command alone = command;
  alone.before = other;
  const Outcome native = run(alone, By::nothing);
  EXPECT_EQ(native.status, 0) << native.err;
  (in_front ? command.after : command.before) = other;
  const Outcome loaded = run(command, By::preload);
  EXPECT_EQ(loaded.status, 0) << loaded.err;
  EXPECT_EQ(loaded.out, native.out);
  EXPECT_EQ(loaded.err, native.err);
  return loaded;
}

}  // namespace

TEST(InterposersTest, OneThatStandsBehindIsPassedEveryCallAndNamed) {
  const Outcome loaded = expect_same_beside(interposer(), true, {.arguments = {program("waits"), "everything"}});
  EXPECT_EQ(loaded.report.first("state"), "foreign") << loaded.report.json();
  EXPECT_NE(loaded.report.first("note").find("interposer"), std::string::npos) << loaded.report.json();
}

TEST(InterposersTest, OneThatStandsInFrontSeesEveryCallAndTheCoreAnswers) {
  const Outcome loaded = expect_same_beside(interposer(), false, {.arguments = {program("waits"), "everything"}});
  EXPECT_EQ(loaded.report.first("state"), "active") << loaded.report.json();
  EXPECT_GT(loaded.report.by_core(), 30) << loaded.report.json();
}

TEST(InterposersTest, FakedTimeIsFakedWithFaketimeBehind) {
  if (faketime().empty()) GTEST_SKIP() << "libfaketime is not installed";
  const Outcome loaded = expect_same_beside(
      faketime(), true,
      {.arguments = {program("waits"), "faked_time"}, .environment = {"FAKETIME=@1987-06-05 04:03:02"}});
  EXPECT_NE(loaded.out.find("1987"), std::string::npos) << loaded.out;
  EXPECT_NE(loaded.report.first("note").find("faketime"), std::string::npos) << loaded.report.json();
}

TEST(InterposersTest, FakedTimeIsFakedWithFaketimeInFront) {
  if (faketime().empty()) GTEST_SKIP() << "libfaketime is not installed";
  const Outcome loaded = expect_same_beside(
      faketime(), false,
      {.arguments = {program("waits"), "faked_time"}, .environment = {"FAKETIME=@1987-06-05 04:03:02"}});
  EXPECT_NE(loaded.out.find("1987"), std::string::npos) << loaded.out;
}

TEST(InterposersTest, ASanitizedProgramRunsUnderThePlainPreload) {
  if (!exists(program("sanitized"))) GTEST_SKIP() << "the compiler has no AddressSanitizer";
  const Command command = {.arguments = {program("sanitized")},
                           .environment = {"ASAN_OPTIONS=verify_asan_link_order=0"}};
  expect_same(command, 0);
}

TEST(InterposersTest, ASanitizedProgramRunsUnderKevRunWithoutOptions) {
  if (!exists(program("sanitized"))) GTEST_SKIP() << "the compiler has no AddressSanitizer";
  const Command command = {.arguments = {program("sanitized")}};
  const Outcome native = run(command, By::nothing);
  const Outcome loaded = run(command, By::kev_run);
  EXPECT_EQ(loaded.status, 0) << loaded.err;
  EXPECT_EQ(loaded.out, native.out);
}
