// Ends a program that makes no progress, and says what its threads were doing.
#pragma once

#include <pthread.h>

#include <atomic>

#include "support/process.hpp"
#include "support/raw.hpp"

namespace scenario {

// Moved by whoever makes progress.
inline std::atomic<long> progress{0};

inline constexpr int kHungStatus = 70;

inline void say_file(const char* format, int task) {
  char path[64], text[256];
  ::snprintf(path, sizeof path, format, task);
  const int fd = ::open(path, O_RDONLY);
  const ssize_t size = ::read(fd, text, sizeof text);
  if (size > 0 && ::write(2, text, static_cast<size_t>(size)) < 0) ::_exit(kHungStatus);
  ::close(fd);
}

inline void* watch(void* seconds) {
  const long limit = reinterpret_cast<long>(seconds) * 10;
  long seen = -1;
  for (long quiet = 0; quiet < limit; ++quiet) {
    raw_pause(100'000);  // keeps out of code that may have a breakpoint
    if (progress.exchange(0) != seen) quiet = 0;
    seen = 0;
  }
  ::dprintf(2, "no progress for %ld s; the threads' states and system calls:\n", limit / 10);
  DIR* tasks = ::opendir("/proc/self/task");
  while (const dirent* entry = ::readdir(tasks)) {
    if (entry->d_name[0] == '.') continue;
    say_file("/proc/self/task/%d/stat", ::atoi(entry->d_name));
    say_file("/proc/self/task/%d/syscall", ::atoi(entry->d_name));
  }
  ::_exit(kHungStatus);
}

// From now on.
inline void start_watchdog(long seconds) {
  pthread_t thread;
  CHECK(::pthread_create(&thread, nullptr, watch, reinterpret_cast<void*>(seconds)) == 0);
}

}  // namespace scenario
