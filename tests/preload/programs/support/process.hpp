// Children of a helper program, and what /proc says about it.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include <set>

#include "support/scenario.hpp"

namespace scenario {

inline void expect_success(pid_t child) {
  int status = -1;
  CHECK(child > 0);
  while (::waitpid(child, &status, 0) < 0) CHECK(errno == EINTR);
  CHECK(status == 0);
}

// The open descriptors, without the one that reads them.
inline std::set<int> open_numbers() {
  std::set<int> numbers;
  DIR* directory = ::opendir("/proc/self/fd");
  CHECK(directory != nullptr);
  while (const dirent* entry = ::readdir(directory))
    if (entry->d_name[0] != '.') numbers.insert(::atoi(entry->d_name));
  numbers.erase(::dirfd(directory));
  ::closedir(directory);
  return numbers;
}

inline long now_us() {
  timespec time;
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000 + time.tv_nsec / 1000;
}

inline void pause_us(long us) {
  timespec time = {us / 1'000'000, us % 1'000'000 * 1000};
  while (::nanosleep(&time, &time) < 0) {
  }
}

}  // namespace scenario
