// The comparison that most tests are: a scenario of a helper program does the same with and without the object.
#pragma once

#include <gtest/gtest.h>

#include "harness/run.hpp"

namespace preload_test {

// The scenario must hold natively, which proves it, and print and end the same under `by`. The core must have answered
// at least `by_core` calls, so that the comparison is one. Returns the preloaded outcome.
inline Outcome expect_same(const Command& command, long by_core, By by = By::preload) {
  const Outcome native = run(command, By::nothing);
  EXPECT_EQ(native.status, 0) << "natively: " << line(command) << "\n" << native.out << native.err;
  const Outcome loaded = run(command, by);
  EXPECT_EQ(loaded.status, native.status) << line(command) << "\n" << loaded.err;
  EXPECT_EQ(loaded.out, native.out) << line(command);
  EXPECT_EQ(loaded.err, native.err) << line(command);
  if (by_core > 0) {
    EXPECT_GE(loaded.report.by_core(), by_core) << line(command) << "\n" << loaded.report.json();
  }
  return loaded;
}

inline Outcome expect_same(const std::string& name, const std::string& scenario, long by_core) {
  return expect_same(Command{.arguments = {program(name), scenario}}, by_core);
}

}  // namespace preload_test
