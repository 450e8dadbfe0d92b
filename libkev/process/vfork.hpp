// Whether this code runs in a child of vfork, in its parent's memory.
//
// The vfork stub (arch/<cpu>/vfork.S) counts a word of the calling thread up while the parent is stopped, and puts it back
// when the parent goes on: what a child adds to it is gone then. A child has the parent's memory and a descriptor table of
// its own: nothing it does to descriptors may be noted.
#pragma once

extern "C" {
extern constinit thread_local int kev_vfork_depth __attribute__((visibility("hidden"), tls_model("initial-exec")));
}

namespace kev::process {

inline bool in_vfork_child() { return kev_vfork_depth != 0; }

// A child of vfork has installed a filter, which is not its parent's. A child of its own has it as well.
inline constexpr int kFilteredChild = 1 << 30;
inline bool in_filtered_vfork_child() { return (kev_vfork_depth & kFilteredChild) != 0; }

}  // namespace kev::process
