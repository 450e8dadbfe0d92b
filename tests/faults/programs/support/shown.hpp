// What a scenario prints of its waits and its descriptors: all of it must be the same whatever fails in the object.
#pragma once

#include <poll.h>
#include <sys/resource.h>
#include <sys/select.h>

#include "support/process.hpp"
#include "support/scenario.hpp"

namespace scenario {

// say(), a line at a time: a traced program's system calls are dear.
[[gnu::format(printf, 1, 2)]] inline void print(const char* format, ...) {
  static char line[512];
  static size_t length = 0;
  va_list list;
  va_start(list, format);
  length += static_cast<size_t>(::vsnprintf(line + length, sizeof line - length, format, list));
  va_end(list);
  if (length >= sizeof line) length = sizeof line - 1;
  if (line[length - 1] != '\n' && length + 1 < sizeof line) return;
  CHECK(::write(1, line, length) == static_cast<ssize_t>(length));
  length = 0;
}

// Handlers that ran; theirs is the EINTR that is shown.
inline volatile sig_atomic_t handled = 0;

// The errno that a fault may show the program where that is unavoidable (KEV_FAULT_SHOWN), 0: none. The call is made
// once more then.
inline bool is_shown(int error) {
  static const char* value = ::getenv("KEV_FAULT_SHOWN");
  return value != nullptr && error == ::atoi(value);
}

// poll(), its result and every revents.
template <size_t count>
int show_poll(const char* what, pollfd (&fds)[count], int timeout_ms, unsigned used = count) {
  int result;
  const int before = handled;
  do {
    for (pollfd& entry : fds) entry.revents = 0x55;
    errno = 0;
    result = ::poll(fds, used, timeout_ms);
  } while (result < 0 && handled == before && is_shown(errno));
  print("%s: %d errno %d:", what, result, result < 0 ? errno : 0);
  for (unsigned i = 0; i < used; ++i) print(" %x", static_cast<unsigned>(fds[i].revents));
  print("\n");
  return result;
}

// The same poll over and over, so that it comes to be the core's and stays it.
template <size_t count>
void show_polls(const char* what, pollfd (&fds)[count], int times = 3) {
  for (int i = 0; i < times; ++i) show_poll(what, fds, 0);
}

// How many descriptors are open when the object has given back its own: a change of the limit makes it.
inline void show_open_descriptors() {
  rlimit limit;
  CHECK(::getrlimit(RLIMIT_NOFILE, &limit) == 0 && ::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  print("open:");
  for (int fd : open_numbers()) print(" %d", fd);
  print("\n");
}

inline void put(int fd) {
  const unsigned long one = 1;
  CHECK(::write(fd, &one, sizeof one) == sizeof one);
}
inline void take(int fd) {
  unsigned long one;
  CHECK(::read(fd, &one, sizeof one) > 0);
}

}  // namespace scenario
