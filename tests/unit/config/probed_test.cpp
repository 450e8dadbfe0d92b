// KEV_PROBED: what vouches for a system call, and what must not.
#include "config/probed.hpp"

#include <gtest/gtest.h>

#include <string>

namespace kev::config {
namespace {

TEST(Probed, VouchesForTheNamesListed) {
  const char* value = "2:epoll_create1,ppoll,close";
  EXPECT_TRUE(probed(value, 2, "epoll_create1"));
  EXPECT_TRUE(probed(value, 2, "ppoll"));
  EXPECT_TRUE(probed(value, 2, "close"));
  EXPECT_FALSE(probed(value, 2, "eventfd2"));
}

TEST(Probed, NamesAreMatchedWhole) {
  const char* value = "1:epoll_create1,ppoll";
  EXPECT_FALSE(probed(value, 1, "epoll_create"));
  EXPECT_FALSE(probed(value, 1, "poll"));
  EXPECT_FALSE(probed(value, 1, "epoll_create1,ppoll"));
  EXPECT_FALSE(probed(value, 1, ""));
}

TEST(Probed, CountsForNothingUnderOtherFilters) {
  EXPECT_FALSE(probed("1:ppoll", 2, "ppoll"));
  EXPECT_FALSE(probed("2:ppoll", 1, "ppoll"));
  EXPECT_FALSE(probed("4294967297:ppoll", 1, "ppoll"));
}

TEST(Probed, WhatIsMalformedVouchesForNothing) {
  EXPECT_FALSE(probed(nullptr, 0, "ppoll"));
  for (const char* value : {"", ":", "1", "1:", "ppoll", "1ppoll", " 1:ppoll", "-1:ppoll", "1 :ppoll", "1:ppoll ,x"})
    EXPECT_FALSE(probed(value, 1, "ppoll")) << value;
  EXPECT_FALSE(probed("1:,,ppol", 1, ""));
  EXPECT_TRUE(probed("1:,,ppoll", 1, "ppoll"));
}

TEST(Probed, EveryProbeHasANameThatTheFormatCanCarry) {
  for (const char* name : kProbes) {
    EXPECT_EQ(std::string(name).find_first_of(", :"), std::string::npos) << name;
    EXPECT_TRUE(probed(("7:a," + std::string(name)).c_str(), 7, name)) << name;
  }
}

}  // namespace
}  // namespace kev::config
