// Comparing a poll array with the one of the call before, in blocks of entries.
//
// One pass at the speed of memory: what it finds is noted for each block, so that whoever clears revents or follows
// changes need only look at the blocks that have some.
#pragma once

#include <cstdint>
#include <poll.h>

namespace kev::mirror {

inline constexpr unsigned kBlock = 32;  // entries
inline constexpr uint8_t kHasRevents = 1;
inline constexpr uint8_t kHasChanged = 2;  // descriptor or events

inline constexpr unsigned blocks_of(unsigned count) { return (count + kBlock - 1) / kBlock; }

// Fills `blocks` for the `count` entries of `given`; the revents of `known` are 0. Whether any entry has changed.
// By the widest vectors that the processor has.
bool compare_blocks(const pollfd* given, const pollfd* known, unsigned count, uint8_t* blocks);

// Calls `visit(index)` for the entries below `count` of the blocks in which `what` was found.
template <typename Visit>
void for_each_in_blocks(const uint8_t* blocks, uint8_t what, unsigned count, Visit visit) {
  for (unsigned begin = 0; begin < count; begin += kBlock) {
    if ((blocks[begin / kBlock] & what) == 0) continue;
    unsigned end = begin + kBlock < count ? begin + kBlock : count;
    for (unsigned i = begin; i < end; ++i) visit(i);
  }
}

}  // namespace kev::mirror
