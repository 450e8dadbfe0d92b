// What the core keeps for one thread, and who may touch it.
//
// States of a record (one word):
//
//   free ----acquire----> idle ----enter----> busy(sp) ----leave----> idle        the owner
//                         idle ---revoker---> revoking --revoker----> idle        any thread
//                                 busy(asleep) --> busy(taking) --> busy(taken)   any thread
//   any of these ---thread exit---> free
//
// Mirrors are only touched by whoever moved the record to busy, revoking or taking. A revoker that meets a busy record
// asks (`revoke`), wakes the sleeper and looks again: either it finds the record idle, or the owner saw the request as it
// left. An owner that goes on sleeping has no processor, or was left by siglongjmp: then its descriptors are taken, which
// it sees as it wakes up (wait/sleeper.hpp), and the rest is its own.
//
// busy carries the stack pointer of the owner's frame: an entry from a deeper frame is a signal handler that
// interrupted it (the kernel answers that one); an entry from the same or a shallower frame shows that the busy frame
// was left by siglongjmp, and so does one that finds the busy frame's cookie overwritten. Then the record is abandoned:
// taken for good, its memory left as it is, since a frame on another stack may still come back to it, and the thread
// gets a new one.
#pragma once

#include <atomic>
#include <cstdint>

#include "bell/program_sets.hpp"
#include "mirror/array_mirror.hpp"
#include "mirror/select_mirror.hpp"
#include "mirror/slot.hpp"

namespace kev::record {

inline constexpr unsigned kPollSlots = 4;
inline constexpr unsigned kSelectSlots = 2;

struct ThreadRecord {
  static constexpr uintptr_t kIdle = 0;
  static constexpr uintptr_t kRevoking = 4;  // apart from wait::kActivity
  static constexpr uintptr_t kFree = 8;      // above: busy

  std::atomic<uintptr_t> state{kFree};
  std::atomic<bool> revoke{false};
  const uint64_t* cookie = nullptr;   // in the busy frame: what stands there while the frame does
  ThreadRecord* next = nullptr;       // in the list of all; never changes
  ThreadRecord* abandoned = nullptr;  // the owner's previous record, left busy
  unsigned abandoned_count = 0;
  uint64_t tick = 0;

  // The owner's alone, as all rings are. What a revoker takes are descriptors, and these have none.
  bell::ProgramSets program_sets;

  mirror::Slot poll_slot[kPollSlots];
  mirror::ArrayMirror poll_mirror[kPollSlots];
  mirror::Slot select_slot[kSelectSlots];
  mirror::SelectMirror select_mirror[kSelectSlots];

  ThreadRecord() {
    for_each_mirror([this](auto& mirror) { mirror.belong_to(state); });
  }
  template <typename Visit>
  void for_each_mirror(Visit visit) {
    for (auto& mirror : poll_mirror) visit(mirror);
    for (auto& mirror : select_mirror) visit(mirror);
  }
  template <typename Visit>
  void for_each_ring(Visit visit) {
    program_sets.for_each_ring(visit);
    for_each_mirror([&](auto& mirror) { visit(mirror.ring()); });
  }
  void close_all();
};

// The calling thread's record, made busy; null with `reason` if it cannot be entered now.
// `cookie` is a word of the caller's frame, which stays in that frame until leave().
ThreadRecord* enter(stats::Fallback& reason, uint64_t& cookie);
void leave(ThreadRecord* record);

}  // namespace kev::record
