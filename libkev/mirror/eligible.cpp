// Tells descriptors apart; the rules stand in eligible.hpp.
#include "mirror/eligible.hpp"

#include <cstring>

#include "os/file.hpp"

namespace kev::mirror {

namespace {

// Writes "/proc/self/fd/<fd>".
void write_path(char* out, int fd) {
  constexpr char kPrefix[] = "/proc/self/fd/";
  memcpy(out, kPrefix, sizeof kPrefix - 1);
  out += sizeof kPrefix - 1;
  char digits[12];
  int count = 0;
  do digits[count++] = static_cast<char>('0' + fd % 10);
  while ((fd /= 10) != 0);
  while (count > 0) *out++ = digits[--count];
  *out = '\0';
}

bool is_watchable_anonymous(int fd) {
  char path[32];
  char name[64];
  write_path(path, fd);
  long length = os::readlink(path, name, sizeof name - 1);
  if (length <= 0) return false;
  name[length] = '\0';
  constexpr const char* kNames[] = {"anon_inode:[eventfd]", "anon_inode:[timerfd]", "anon_inode:inotify",
                                    "anon_inode:[pidfd]"};
  for (const char* known : kNames)
    if (strcmp(name, known) == 0) return true;
  return strncmp(name, "pidfd:", 6) == 0;
}

}  // namespace

Kind kind_of(int fd) {
  struct stat status;
  if (os::fstat(fd, &status) < 0) return Kind::closed;
  if (S_ISSOCK(status.st_mode) || S_ISFIFO(status.st_mode)) return Kind::watchable;
  if (S_ISCHR(status.st_mode) || S_ISDIR(status.st_mode) || S_ISBLK(status.st_mode)) return Kind::kernel_only;
  // Anonymous inodes have no file type, or a regular file's: the name tells.
  return is_watchable_anonymous(fd) ? Kind::watchable : Kind::kernel_only;
}

}  // namespace kev::mirror
