// The counters page: what the shim counts, laid out as it lies in the shared file.
//
// Lives here: layout and the two ways to count. Does not live here: making and mapping the file (page.hpp),
// turning it into text (report.hpp). The file is the mapped counters themselves, one slot per process, so that
// nothing is lost by SIGKILL, chroot or a daemon that never exits. Any thread, any context: relaxed atomics.
#pragma once

#include <atomic>
#include <cstdint>

namespace kev::stats {

enum class Call : unsigned {
#define KEV_CALL(id, name) id,
#include "stats/counters.def"
#undef KEV_CALL
  count_
};

enum class Counter : unsigned {
#define KEV_COUNTER(id, key, title) id,
#include "stats/counters.def"
#undef KEV_COUNTER
  count_
};

enum class Fallback : unsigned {
#define KEV_FALLBACK(id, key, text) id,
#include "stats/counters.def"
#undef KEV_FALLBACK
  count_
};

inline constexpr unsigned kCalls = static_cast<unsigned>(Call::count_);
inline constexpr unsigned kCounters = static_cast<unsigned>(Counter::count_);
inline constexpr unsigned kFallbacks = static_cast<unsigned>(Fallback::count_);
inline constexpr uint64_t kMagic = 0x31544154'5356454bull;  // "KEVSTAT1"
inline constexpr uint64_t kLayout = kCalls << 16 | kCounters << 8 | kFallbacks;  // files of another list are refused
inline constexpr unsigned kSlots = 256;                     // the last one is shared by all processes beyond
inline constexpr unsigned kSlotBytes = 4096;

// What the shim does in this process, in a slot's `state`.
enum class State : uint32_t { unused, active, off, seccomp, foreign, refused };

// One process. Every field is written by that process only, except in the shared last slot.
struct Slot {
  std::atomic<uint32_t> pid;     // 0: free
  std::atomic<uint32_t> parent;  // pid of the process that forked it, 0 if it was exec'd
  std::atomic<State> state;
  std::atomic<uint32_t> ended;   // 1 once the process ran its exit handlers
  std::atomic<uint64_t> started_ns;  // CLOCK_MONOTONIC
  std::atomic<uint64_t> ended_ns;
  std::atomic<uint64_t> kernel_bytes;  // most kernel memory held by mirror registrations at once
  char command[64];                    // as in /proc/PID/comm or argv[0]
  char note[192];                      // why it is not active, or which other interposer stands behind
  std::atomic<uint64_t> counters[kCalls][kCounters];
  std::atomic<uint64_t> fallbacks[kFallbacks];
};
static_assert(sizeof(Slot) <= kSlotBytes);

// The head of the file; slot i begins at (1 + i) * kSlotBytes.
struct Header {
  std::atomic<uint64_t> magic;     // kMagic, written before the file has its full size: makes it ours
  std::atomic<uint64_t> layout;    // kLayout, written with it
  std::atomic<uint32_t> used;      // slots handed out; may exceed kSlots
  std::atomic<uint32_t> main_pid;  // the process that the file was made for
  // Calibrated by the first process, for the estimate of CPU time saved, in picoseconds.
  std::atomic<uint64_t> poll_base_ps;        // native poll(): fixed part
  std::atomic<uint64_t> poll_descriptor_ps;  // native poll(): per descriptor
  std::atomic<uint64_t> core_entry_ps;       // one of the core's own system calls
};
static_assert(sizeof(Header) <= kSlotBytes);
inline constexpr unsigned long kFileBytes = (1ul + kSlots) * kSlotBytes;

// The calling process's slot; null while nothing is counted. Set by page.cpp.
extern std::atomic<Slot*> slot;

inline bool counting() { return slot.load(std::memory_order_relaxed) != nullptr; }

inline void add(Call call, Counter counter, uint64_t n) {
  if (Slot* s = slot.load(std::memory_order_relaxed))
    s->counters[static_cast<unsigned>(call)][static_cast<unsigned>(counter)].fetch_add(n, std::memory_order_relaxed);
}

inline void add(Fallback reason) {
  if (Slot* s = slot.load(std::memory_order_relaxed))
    s->fallbacks[static_cast<unsigned>(reason)].fetch_add(1, std::memory_order_relaxed);
}

}  // namespace kev::stats
