// Reads /proc/self/status; the contract stands in status.hpp.
#include "process/status.hpp"

#include <cstring>

#include "os/file.hpp"

namespace kev::process {

// Piece by piece: the file is longer than fits a handler's small stack, and a process of many groups has longer lines.
unsigned long status_number(const char* field, unsigned long absent) {
  int fd = os::openat(AT_FDCWD, "/proc/self/status", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absent;
  constexpr size_t kOtherLine = ~size_t{0};
  size_t length = strlen(field);
  size_t matched = 0;  // how much of `field` the line has shown so far
  bool has_digits = false;
  unsigned long value = 0;
  auto takes = [&](char c) {  // false: the number is complete
    bool is_digit = c >= '0' && c <= '9';
    if (matched == length) {
      if (!is_digit) return !has_digits && (c == ' ' || c == '\t');
      value = value * 10 + static_cast<unsigned long>(c - '0');
      has_digits = true;
    } else if (c == '\n') {
      matched = 0;
    } else if (matched != kOtherLine) {
      matched = c == field[matched] ? matched + 1 : kOtherLine;
    }
    return true;
  };
  char text[512];
  bool complete = false;
  for (long size; !complete && (size = os::read(fd, text, sizeof text)) > 0;)
    for (long i = 0; i < size && !complete; ++i) complete = !takes(text[i]);
  os::close(fd);
  return complete ? value : absent;
}

}  // namespace kev::process
