// Whether a ring's error means that this system has none for anybody. Any other error is a mistake of ours.
#pragma once

#include <sys/utsname.h>

#include <cerrno>
#include <cstdio>

namespace unit {

// Kernels before 6.1 do not know the flags, and say -EINVAL; newer ones must not.
inline bool is_ring_refusal(int error) {
  if (error != -EINVAL) return error == -ENOSYS || error == -EPERM;
  utsname system;
  int major = 0, minor = 0;
  if (::uname(&system) != 0 || std::sscanf(system.release, "%d.%d", &major, &minor) != 2) return false;
  return major < 6 || (major == 6 && minor < 1);
}

}  // namespace unit
