// _exit and _Exit: the ends that run no destructor.
//
// Only the statistics want to know. A child of vfork leaves its parent's counters alone.
#include "preload/shim.hpp"
#include "process/vfork.hpp"

using namespace kev::preload;

extern "C" void kev__exit(int status) {
  if (!kev::process::in_vfork_child()) before_exit();
  real()._exit(status);
  __builtin_unreachable();
}

extern "C" void kev__Exit(int status) { kev__exit(status); }
