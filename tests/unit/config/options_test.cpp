// The option table's parser: every row of options.def by its own limits, and the environment as a whole.
#include "config/options.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace kev::config {
namespace {

bool set_named(Options& options, const std::string& name, const char* value, Complaint& complaint) {
  return set(options, name.c_str(), static_cast<unsigned>(name.size()), value, complaint);
}

bool accepts(const std::string& name, const char* value) {
  Options options;
  Complaint complaint;
  return set_named(options, name, value, complaint);
}

std::vector<std::string> complaints;
void collect(const Complaint& c) {
  complaints.push_back(std::string(c.name, c.name_length) + "|" + c.value + "|" + (c.allowed ? c.allowed : "unknown"));
}

Options parse(std::vector<const char*> variables) {
  complaints.clear();
  variables.push_back(nullptr);
  return from_environment(const_cast<char* const*>(variables.data()), collect);
}

TEST(Options, ChoicesTakeTheirValuesAndNoOthers) {
  Options options;
  Complaint complaint;
  EXPECT_TRUE(set_named(options, "KEV_ENGINE", "off", complaint));
  EXPECT_EQ(options.engine, Engine::off);
  EXPECT_TRUE(set_named(options, "KEV_ENGINE", "epoll", complaint));
  EXPECT_EQ(options.engine, Engine::epoll);
  EXPECT_TRUE(set_named(options, "KEV_ENGINE", "auto", complaint));
  EXPECT_EQ(options.engine, Engine::auto_);
  EXPECT_TRUE(set_named(options, "KEV_STATS_FORMAT", "json", complaint));
  EXPECT_EQ(options.stats_format, StatsFormat::json);
  for (const char* wrong : {"", "of", "offf", "OFF", "auto|epoll", "|", "epoll ", "uring"})
    EXPECT_FALSE(accepts("KEV_ENGINE", wrong)) << wrong;
}

TEST(Options, ARefusedValueLeavesTheOptionAsItWas) {
  Options options;
  Complaint complaint;
  ASSERT_TRUE(set_named(options, "KEV_ENGINE", "epoll", complaint));
  EXPECT_FALSE(set_named(options, "KEV_ENGINE", "fast", complaint));
  EXPECT_EQ(options.engine, Engine::epoll);
  EXPECT_STREQ(complaint.allowed, "auto|epoll|off");
  EXPECT_STREQ(complaint.value, "fast");
  EXPECT_FALSE(set_named(options, "KEV_MIRROR_MIN", "0", complaint));
  EXPECT_EQ(options.mirror_min, 16u);
  EXPECT_STREQ(complaint.allowed, "1..1048576");
}

TEST(Options, NumbersAreDecimalAndInRange) {
  Options options;
  Complaint complaint;
  EXPECT_TRUE(set_named(options, "KEV_MIRROR_MIN", "1", complaint));
  EXPECT_EQ(options.mirror_min, 1u);
  EXPECT_TRUE(set_named(options, "KEV_MIRROR_MIN", "1048576", complaint));
  EXPECT_EQ(options.mirror_min, 1048576u);
  for (const char* wrong :
       {"", "0", "1048577", "-1", "+1", " 1", "1 ", "0x10", "1.5", "4294967297", "99999999999999999999"})
    EXPECT_FALSE(accepts("KEV_MIRROR_MIN", wrong)) << wrong;
}

TEST(Options, SwitchesAreOneOrZero) {
  EXPECT_TRUE(accepts("KEV_VERBOSE", "1"));
  EXPECT_TRUE(accepts("KEV_VERBOSE", "0"));
  for (const char* wrong : {"", "2", "yes", "10", "true"}) EXPECT_FALSE(accepts("KEV_VERBOSE", wrong)) << wrong;
}

TEST(Options, NamesAreMatchedWhole) {
  Options options;
  Complaint complaint;
  EXPECT_FALSE(set_named(options, "KEV_ENGIN", "off", complaint));
  EXPECT_EQ(complaint.allowed, nullptr);
  EXPECT_FALSE(set_named(options, "KEV_ENGINES", "off", complaint));
  EXPECT_FALSE(set_named(options, "", "off", complaint));
  // The length counts, not the terminator.
  EXPECT_TRUE(set(options, "KEV_ENGINE=epoll", 10, "off", complaint));
  EXPECT_EQ(options.engine, Engine::off);
}

TEST(Options, EveryRowAcceptsItsOwnDefault) {
  unsigned rows = 0;
  for (const Entry& entry : entries()) {
    ++rows;
    if (entry.initial != nullptr) {
      EXPECT_TRUE(accepts(entry.name, entry.initial)) << entry.name;
    }
    EXPECT_EQ(std::strncmp(entry.name, "KEV_", 4), 0) << entry.name;
    EXPECT_NE(entry.allowed, nullptr);
    EXPECT_GT(std::strlen(entry.help), 0u);
  }
  EXPECT_GE(rows, 7u);
}

TEST(Options, TheEnvironmentIsReadAndItsMistakesReported) {
  Options options = parse({"PATH=/bin", "KEV_ENGINE=off", "KEV_STATS=/tmp/x.%p", "KEV_MIRROR_MIN=many",
                           "KEV_COLOUR=red", "KEV_VERBOSE=1", "KEVIN=1", "KEV_", "XKEV_ENGINE=auto"});
  EXPECT_EQ(options.engine, Engine::off);
  EXPECT_STREQ(options.stats, "/tmp/x.%p");
  EXPECT_TRUE(options.verbose);
  EXPECT_EQ(options.mirror_min, 16u);
  EXPECT_EQ(complaints, (std::vector<std::string>{"KEV_MIRROR_MIN|many|1..1048576", "KEV_COLOUR|red|unknown"}));
}

TEST(Options, WhatKevRunAndTheObjectExchangeIsNoMistake) {
  parse({"KEV_PROBED=1:ppoll", "KEV_OBJECT=/x.so"});
  EXPECT_TRUE(complaints.empty());
}

TEST(Options, NothingSetMeansTheDefaults) {
  Options options = parse({});
  EXPECT_EQ(options.engine, Engine::auto_);
  EXPECT_EQ(options.stats, nullptr);
  EXPECT_EQ(from_environment(nullptr, nullptr).verify_usec, 5000u);
  char* mistakes[] = {const_cast<char*>("KEV_ENGINE=x"), nullptr};
  EXPECT_EQ(from_environment(mistakes, nullptr).engine, Engine::auto_);  // and nobody is told
}

}  // namespace
}  // namespace kev::config
