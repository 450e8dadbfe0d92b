// Files: a value, or -errno. Not cancellation points: what libkev does with files must not end a thread.
//
// Async-signal-safe. Does not live here: what a descriptor is to the program (process/).
#pragma once

#include <arch_syscall.hpp>
#include <cerrno>
#include <cstddef>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

namespace kev::os {

inline int openat(int directory, const char* path, int flags, unsigned mode = 0) {
  return static_cast<int>(arch::syscall(SYS_openat, directory, reinterpret_cast<long>(path), flags, mode));
}

inline int close(int fd) { return static_cast<int>(arch::syscall(SYS_close, fd)); }

inline long read(int fd, void* buffer, size_t size) {
  return arch::syscall(SYS_read, fd, reinterpret_cast<long>(buffer), static_cast<long>(size));
}

inline long pread(int fd, void* buffer, size_t size, long offset) {
  return arch::syscall(SYS_pread64, fd, reinterpret_cast<long>(buffer), static_cast<long>(size), offset);
}

inline long pwrite(int fd, const void* buffer, size_t size, long offset) {
  return arch::syscall(SYS_pwrite64, fd, reinterpret_cast<long>(buffer), static_cast<long>(size), offset);
}

inline long write(int fd, const void* buffer, size_t size) {
  return arch::syscall(SYS_write, fd, reinterpret_cast<long>(buffer), static_cast<long>(size));
}

// Writes all of it or fails; a signal in between does not count as failure.
inline int write_all(int fd, const void* buffer, size_t size) {
  const char* at = static_cast<const char*>(buffer);
  while (size > 0) {
    long n = write(fd, at, size);
    if (n == -EINTR) continue;
    if (n <= 0) return n == 0 ? -EIO : static_cast<int>(n);
    at += n;
    size -= static_cast<size_t>(n);
  }
  return 0;
}

inline int fstat(int fd, struct stat* status) {
  return static_cast<int>(arch::syscall(SYS_fstat, fd, reinterpret_cast<long>(status)));
}

inline int ftruncate(int fd, long size) { return static_cast<int>(arch::syscall(SYS_ftruncate, fd, size)); }

inline int fallocate(int fd, long offset, long size) {
  return static_cast<int>(arch::syscall(SYS_fallocate, fd, /*mode*/ 0, offset, size));
}

inline int unlink(const char* path) {
  return static_cast<int>(arch::syscall(SYS_unlinkat, AT_FDCWD, reinterpret_cast<long>(path), 0));
}

// Whether the real user may do what `mode` (R_OK, X_OK) says.
inline bool accessible(int directory, const char* path, int mode) {
  return arch::syscall(SYS_faccessat, directory, reinterpret_cast<long>(path), mode) == 0;
}

// Returns the errno (positive) if it returns.
inline int execveat(int directory, const char* path, char* const* arguments, char* const* environment, int flags) {
  return static_cast<int>(-arch::syscall(SYS_execveat, directory, reinterpret_cast<long>(path),
                                         reinterpret_cast<long>(arguments), reinterpret_cast<long>(environment), flags));
}

// Not terminated, as the kernel's.
inline long readlink(const char* path, char* buffer, size_t size) {
  return arch::syscall(SYS_readlinkat, AT_FDCWD, reinterpret_cast<long>(path), reinterpret_cast<long>(buffer),
                       static_cast<long>(size));
}

// A copy of `fd` at `lowest` or above, closed on exec.
inline int duplicate_above(int fd, int lowest) {
  return static_cast<int>(arch::syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, lowest));
}

// Whatever else went wrong, it is taken for open.
inline bool is_open(int fd) { return arch::syscall(SYS_fcntl, fd, F_GETFD, 0) != -EBADF; }

// The signal that the open file `fd` would send for SIGIO, of which files that send none remember it, too. It is 0 until set.
inline int set_file_signal(int fd, int signal) { return static_cast<int>(arch::syscall(SYS_fcntl, fd, F_SETSIG, signal)); }
inline int file_signal(int fd) { return static_cast<int>(arch::syscall(SYS_fcntl, fd, F_GETSIG, 0)); }

// The lowest number that a descriptor cannot have (RLIMIT_NOFILE).
inline unsigned long descriptor_limit() {
  struct rlimit limit = {0, 0};
  long error = arch::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, reinterpret_cast<long>(&limit));
  return error < 0 ? 0 : limit.rlim_cur;
}

// The largest file that this process may make: growing one beyond it does not fail, it kills (SIGXFSZ).
inline unsigned long file_size_limit() {
  struct rlimit limit = {0, 0};
  long error = arch::syscall(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, reinterpret_cast<long>(&limit));
  return error < 0 ? 0 : limit.rlim_cur;
}

}  // namespace kev::os
