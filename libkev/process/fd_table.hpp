// What is known of each descriptor number: who holds it, whether it is ours, how often it changed hands.
//
// One 8-byte slot per number in a lazily touched mapping. Any thread may note a change at any time, from signal
// handlers too: atomics only, no locks. How a number is followed:
//
//   holder                                   closer (or a call that returns the number anew)
//   marks += 1 holder                        the system call
//   g = generation                           marks has a holder? generation += 1, changes += 1
//   register with the engine, remember g
//
// Either the closer sees the holder, and the holder finds the generation changed at its next look; or the holder
// came after the closer's look and registers what stands there now. A spurious note costs a look, nothing else.
#pragma once

#include <atomic>
#include <cstdint>

namespace kev::process {

struct FdSlot {
  std::atomic<uint32_t> marks;
  std::atomic<uint32_t> generation;
};

inline constexpr uint32_t kHolder = 1;                 // added once per mirror that has the number registered
inline constexpr uint32_t kHolders = 0xffff;
inline constexpr uint32_t kPrivate = 1u << 31;         // a descriptor of ours
inline constexpr uint32_t kShared = 1u << 30;          // a copy was sent to another process: its file may outlive it
inline constexpr uint32_t kTableDescriptors = 1u << 20;  // numbers beyond are never followed

extern std::atomic<FdSlot*> fd_table;
extern std::atomic<uint32_t> fd_table_size;     // 0 until mapped
extern std::atomic<uint32_t> held_fd_changes;   // counts notes about held numbers

// Maps the table, unless it stands already; false if there is no memory for it. Any thread. Not before the first
// descriptor of ours is made: its 8 MB of addresses count where a program locks its memory (RLIMIT_MEMLOCK), as daemons
// do at their start.
bool map_fd_table();

// In a forked child: nothing is held and nothing is ours any more.
void clear_fd_table();

// One bit per low number: whether its slot was ever marked (in this process since clear_fd_table()). It spares the
// calls that close and make descriptors a look into the table: another page, which is a TLB miss after every system
// call where the kernel's page tables are kept apart. Set before the mark, never cleared one by one.
inline constexpr uint32_t kNearNumbers = 1024;
extern std::atomic<uint64_t> near_marks[kNearNumbers / 64];

inline FdSlot* fd_slot(int fd) {
  if (static_cast<uint32_t>(fd) >= fd_table_size.load(std::memory_order_acquire)) return nullptr;
  return fd_table.load(std::memory_order_relaxed) + fd;
}

inline uint32_t fd_marks(int fd) {
  FdSlot* slot = fd_slot(fd);
  return slot == nullptr ? 0 : slot->marks.load(std::memory_order_acquire);
}

// False: nobody holds `fd` and it is not ours.
inline bool is_marked(int fd) {
  uint32_t number = static_cast<uint32_t>(fd);
  if (number < kNearNumbers)
    return (near_marks[number / 64].load(std::memory_order_acquire) >> number % 64 & 1) != 0;
  return fd_marks(fd) != 0;
}

// One bit per low number: whether the program was seen to have it, open or closed, here or before a fork. Beside those
// above for the same reason.
extern std::atomic<uint64_t> near_had[kNearNumbers / 64];
inline void note_had(int fd) {
  uint32_t number = static_cast<uint32_t>(fd);
  if (number >= kNearNumbers) return;
  uint64_t bit = uint64_t{1} << number % 64;
  if ((near_had[number / 64].load(std::memory_order_relaxed) & bit) == 0)
    near_had[number / 64].fetch_or(bit, std::memory_order_relaxed);
}
inline bool was_had(int fd) {
  uint32_t number = static_cast<uint32_t>(fd);
  return number < kNearNumbers && (near_had[number / 64].load(std::memory_order_relaxed) >> number % 64 & 1) != 0;
}

// To be called before the first mark is set in the slot of `fd`.
void note_marked(int fd);

// Adds a holder: from now on changes of `fd` are noted. Null: the number is beyond those that are followed.
FdSlot* hold_fd(int fd);
void release_fd(int fd);

inline bool is_private(int fd) { return is_marked(fd) && (fd_marks(fd) & kPrivate) != 0; }

// Notes that `fd` was closed or made anew, if anyone holds it. Call after the system call that did it.
void note_change(int fd);
inline void fd_changed(int fd) {
  if (is_marked(fd) && (fd_marks(fd) & kHolders) != 0) note_change(fd);
}

// The same for all numbers in [first, last].
void fd_range_changed(uint32_t first, uint32_t last);

// Notes that another process has `fd`'s file now.
void fd_shared(int fd);

}  // namespace kev::process
