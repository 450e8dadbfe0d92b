// Whether this code runs in a child of vfork, in its parent's memory.
//
// The vfork stub (arch/<cpu>/vfork.S) counts a word of the calling thread up while the parent is stopped. A child
// has the parent's memory and a descriptor table of its own: nothing it does to descriptors may be noted.
#pragma once

extern "C" {
extern constinit thread_local int kev_vfork_depth __attribute__((visibility("hidden"), tls_model("initial-exec")));
}

namespace kev::process {

inline bool in_vfork_child() { return kev_vfork_depth != 0; }

}  // namespace kev::process
