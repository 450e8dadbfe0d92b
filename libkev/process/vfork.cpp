// The vfork stub's word, and its way to errno.
#include "process/vfork.hpp"

#include <cerrno>

thread_local constinit int kev_vfork_depth = 0;

extern "C" __attribute__((visibility("hidden"))) long kev_set_errno(int error) {
  errno = error;
  return -1;
}
