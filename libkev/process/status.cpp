// Reads /proc/self/status; the contract stands in status.hpp.
#include "process/status.hpp"

#include <cstring>

#include "os/file.hpp"

namespace kev::process {

unsigned long status_number(const char* field, unsigned long absent) {
  char text[4096];
  int fd = os::openat(AT_FDCWD, "/proc/self/status", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absent;
  long size = os::read(fd, text, sizeof text - 1);
  os::close(fd);
  if (size <= 0) return absent;
  text[size] = '\0';
  size_t length = strlen(field);
  for (const char* line = text; line != nullptr; line = strchr(line, '\n')) {
    if (*line == '\n') ++line;
    if (strncmp(line, field, length) != 0) continue;
    line += length;
    while (*line == ' ' || *line == '\t') ++line;
    unsigned long value = 0;
    for (; *line >= '0' && *line <= '9'; ++line) value = value * 10 + static_cast<unsigned long>(*line - '0');
    return value;
  }
  return absent;
}

}  // namespace kev::process
