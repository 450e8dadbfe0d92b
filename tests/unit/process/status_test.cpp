// Figures of /proc/self/status.
#include "process/status.hpp"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>

#include "support/child.hpp"
#include "support/open_descriptors.hpp"

namespace kev::process {
namespace {

TEST(StatusTest, ReadsAFigure) {
  EXPECT_EQ(static_cast<unsigned long>(::getpid()), status_number("Pid:"));
  EXPECT_EQ(static_cast<unsigned long>(::getppid()), status_number("PPid:"));
  EXPECT_LE(64u, status_number("FDSize:"));
  EXPECT_LE(1u, status_number("Threads:"));
}

TEST(StatusTest, SaysSoIfThereIsNone) {
  EXPECT_EQ(0u, status_number("NoSuchField:"));
  EXPECT_EQ(77u, status_number("NoSuchField:", 77));
}

TEST(StatusTest, IsNotDeceivedByTheNameOfTheProcess) {
  EXPECT_EQ(0, conformance::run_in_child([] {
    ::prctl(PR_SET_NAME, "x\nPid:\t1");
    REQUIRE_IN_CHILD(status_number("Pid:") == static_cast<unsigned long>(::getpid()));
    ::prctl(PR_SET_NAME, "FDSize:\t7");
    REQUIRE_IN_CHILD(status_number("FDSize:") != 7);
  }));
}

TEST(StatusTest, LeavesNoDescriptorAndErrnoAlone) {
  const auto before = unit::open_descriptors();
  errno = 4242;
  status_number("NoSuchField:");
  EXPECT_EQ(4242, errno);
  EXPECT_EQ(before, unit::open_descriptors());
}

}  // namespace
}  // namespace kev::process
