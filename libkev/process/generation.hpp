// Whether this process is still the one that set up the core.
//
// One word in a page that the kernel clears in a forked child (MADV_WIPEONFORK): it tells a child however it was
// made (fork, forkpty, daemon, a raw clone), by one load. A child of vfork shares the page, as it must.
#pragma once

#include <atomic>

namespace kev::process {

extern std::atomic<unsigned>* generation_word;

// Makes the page. False if the kernel cannot clear it in children: then the core must not be used.
// System calls: mmap, madvise.
bool mark_generation();

// True in a forked child until mark_generation_again(). Precondition: mark_generation() returned true.
inline bool is_forked_child() { return generation_word->load(std::memory_order_relaxed) == 0; }

// The child has dropped what it inherited and is now the owner.
inline void mark_generation_again() { generation_word->store(1, std::memory_order_relaxed); }

}  // namespace kev::process
