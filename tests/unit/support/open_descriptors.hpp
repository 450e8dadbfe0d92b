// The descriptors that this process has open, as /proc tells.
#pragma once

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include <set>
#include <string>

namespace unit {

// The numbers of those whose file's name (as readlink gives it) holds `what`.
inline std::set<int> open_descriptors(const char* what = "") {
  std::set<int> numbers;
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return numbers;
  while (dirent* entry = ::readdir(directory)) {
    const int fd = ::atoi(entry->d_name);
    if (entry->d_name[0] == '.' || fd == ::dirfd(directory)) continue;
    char name[256];
    const ssize_t length = ::readlinkat(::dirfd(directory), entry->d_name, name, sizeof name);
    if (length > 0 && std::string(name, static_cast<std::size_t>(length)).find(what) != std::string::npos)
      numbers.insert(fd);
  }
  ::closedir(directory);
  return numbers;
}

}  // namespace unit
