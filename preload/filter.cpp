// Seccomp filters that the program installs.
//
// A filter may kill for any system call that the program's author did not think of: ours are given up before it goes
// in. syscall(SYS_seccomp) comes by raw.cpp.
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "preload/shim.hpp"

using namespace kev::preload;

extern "C" int kev_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
  if (option == PR_SET_SECCOMP) before_filter();
  return real().prctl(option, a, b, c, d);
}
