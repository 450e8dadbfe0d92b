// Whose process this is, and whether another exists. Asked of the kernel itself, whatever an interposer (fakeroot)
// makes libc say. Async-signal-safe.
#pragma once

#include <arch_syscall.hpp>
#include <sys/syscall.h>

#include "os/file.hpp"

namespace kev::os {

inline unsigned getpid() { return static_cast<unsigned>(arch::syscall(SYS_getpid)); }

inline unsigned geteuid() { return static_cast<unsigned>(arch::syscall(SYS_geteuid)); }

// Whether process `pid` still runs: one that ended and was not yet waited for does not. Looks into /proc; where
// that is not there (chroot), every process is taken to run.
inline bool process_runs(unsigned pid) {
  char path[32] = "/proc/";
  char digits[10];
  unsigned count = 0;
  do digits[count++] = static_cast<char>('0' + pid % 10);
  while ((pid /= 10) != 0);
  unsigned length = 6;
  while (count > 0) path[length++] = digits[--count];
  for (const char* rest = "/stat"; *rest != '\0';) path[length++] = *rest++;
  path[length] = '\0';

  int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    int own = openat(AT_FDCWD, "/proc/self/stat", O_RDONLY | O_CLOEXEC);
    if (own >= 0) close(own);
    return own < 0 || fd != -ENOENT;
  }
  char text[128];  // "PID (COMM) STATE ...", COMM of at most 64 bytes, which may be any
  long n = read(fd, text, sizeof text);
  close(fd);
  if (n <= 0) return false;
  while (n > 0 && text[n - 1] != ')') --n;
  char state = n > 0 && n + 1 < static_cast<long>(sizeof text) ? text[n + 1] : '?';
  return state != 'Z' && state != 'X';
}

}  // namespace kev::os
