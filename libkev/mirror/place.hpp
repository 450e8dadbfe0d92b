// Where an array mirror looks at a descriptor: what Interest::place says.
//
//               busy, or not to be watched                      quiet
//   direct: asked of the kernel in each wait, by poll()   watched: registered with the engine, which is asked once
//   place = kDirect | index in the direct list            place = when it last reported | events registered
//
// A direct descriptor costs its share of a poll() in each wait, and what is said of it is the kernel's word. A watched
// one costs nothing while it is quiet; an event of it costs two more system calls, and may be of a file that is gone.
// A descriptor comes in as direct; one that is quiet for a while is watched; one that reports twice within a while is
// direct again, and so is one that changes, or of which the engine said what the kernel did not confirm.
#pragma once

#include <cstdint>

#include "wait/interest_set.hpp"

namespace kev::mirror {

using wait::Interest;

namespace place {

inline constexpr uint32_t kDirect = 1u << 31;
inline constexpr uint32_t kMarked = 1u << 30;  // of a watched one: for the moment
inline constexpr uint32_t kUnverified = 1u << 29;  // of an orphan: a verification has gone by without it
inline constexpr uint32_t kEvents = 0xffff;
inline constexpr unsigned kStampShift = 16;
inline constexpr uint32_t kStamps = 1u << 13;  // a call's number, modulo

inline uint32_t direct(unsigned index) { return kDirect | index; }
inline uint32_t watched(uint32_t events, uint32_t call) { return events | (call % kStamps) << kStampShift; }

inline bool is_direct(const Interest& interest) { return (interest.place & kDirect) != 0; }
inline unsigned index(const Interest& interest) { return interest.place & ~kDirect; }
inline uint32_t events(const Interest& interest) { return interest.place & kEvents; }

// How many calls before `call` it was that the watched descriptor reported.
inline uint32_t calls_since_report(const Interest& interest, uint32_t call) {
  return (call - (interest.place >> kStampShift)) % kStamps;
}

}  // namespace place

}  // namespace kev::mirror
