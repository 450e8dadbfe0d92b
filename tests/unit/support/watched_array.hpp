// Arrays of quiet descriptors as the mirrors are given them, and the kernel's own word for comparison.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <cstddef>
#include <vector>

#include "os/poll.hpp"
#include "support/descriptor.hpp"

namespace unit {

struct WatchedArray {
  explicit WatchedArray(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      events.push_back(conformance::make_event());
      fds.push_back({events.back().get(), POLLIN, 0});
    }
  }
  unsigned count() const { return static_cast<unsigned>(fds.size()); }

  std::vector<conformance::Descriptor> events;
  std::vector<pollfd> fds;
};

inline int kernel_poll(std::vector<pollfd>& fds) { return kev::os::poll_now(fds.data(), fds.size()); }

// The results of `fds` are those of `truth`.
inline ::testing::AssertionResult same_results(const std::vector<pollfd>& fds, const std::vector<pollfd>& truth) {
  for (std::size_t i = 0; i < fds.size(); ++i)
    if (fds[i].revents != truth[i].revents)
      return ::testing::AssertionFailure() << "entry " << i << " (fd " << fds[i].fd << ", events " << fds[i].events
                                           << ") of " << fds.size() << " has revents " << fds[i].revents
                                           << ", the kernel says " << truth[i].revents;
  return ::testing::AssertionSuccess();
}

}  // namespace unit
