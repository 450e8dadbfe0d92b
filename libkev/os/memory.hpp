// Memory mappings: a value, or -errno. Async-signal-safe.
#pragma once

#include <arch_syscall.hpp>
#include <cerrno>
#include <cstddef>
#include <sys/mman.h>
#include <sys/syscall.h>

namespace kev::os {

// Returns the address, or null with `error` set to -errno.
inline void* mmap(void* where, size_t size, int protection, int flags, int fd, long offset, int& error) {
#ifdef __SANITIZE_THREAD__
  // ThreadSanitizer has to see that an address is used anew.
  void* address = ::mmap(where, size, protection, flags, fd, offset);
  error = address == MAP_FAILED ? -errno : 0;
  return address == MAP_FAILED ? nullptr : address;
#else
  long result = arch::syscall(SYS_mmap, reinterpret_cast<long>(where), static_cast<long>(size), protection, flags, fd,
                              offset);
  error = 0;
  if (result >= 0 || result < -4095) return reinterpret_cast<void*>(result);
  error = static_cast<int>(result);
  return nullptr;
#endif
}

// Zeroed memory of this process, or null. `flags` are added to MAP_PRIVATE | MAP_ANONYMOUS.
inline void* map_private(size_t size, int flags = 0) {
  int error;
  return mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0, error);
}

inline int munmap(void* address, size_t size) {
#ifdef __SANITIZE_THREAD__
  return ::munmap(address, size) == 0 ? 0 : -errno;
#else
  return static_cast<int>(arch::syscall(SYS_munmap, reinterpret_cast<long>(address), static_cast<long>(size)));
#endif
}

inline int madvise(void* address, size_t size, int advice) {
  return static_cast<int>(arch::syscall(SYS_madvise, reinterpret_cast<long>(address), static_cast<long>(size), advice));
}

}  // namespace kev::os
