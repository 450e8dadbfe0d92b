// When a thread sleeps, by the kernel's own word.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "os/thread.hpp"

namespace unit {

// Whether thread `id` of this process sleeps, or has ended.
inline bool is_asleep(int id) {
  char path[64], line[512];
  std::snprintf(path, sizeof path, "/proc/self/task/%d/stat", id);
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  const ssize_t size = ::read(fd, line, sizeof line - 1);
  ::close(fd);
  if (size <= 0) return true;
  line[size] = '\0';
  const char* name_end = std::strrchr(line, ')');
  return name_end != nullptr && name_end[2] == 'S';
}

inline void wait_until_asleep(int id) {
  while (!is_asleep(id)) ::sched_yield();
}

// Until all threads but the caller's sleep, those included that were just made.
inline void wait_until_others_sleep() {
  for (bool found = true; found;) {
    found = false;
    DIR* threads = ::opendir("/proc/self/task");
    while (const dirent* thread = ::readdir(threads)) {
      const int id = std::atoi(thread->d_name);
      found = found || (id != 0 && id != kev::os::thread_id() && !is_asleep(id));
    }
    ::closedir(threads);
    if (found) ::sched_yield();
  }
}

}  // namespace unit
