// When an array is worth a mirror: what is remembered of one array of one thread.
//
// An array is known by its address. It is promoted after tuning.promote_after calls, and left to the kernel for a
// while when a mirror did not work out, longer each time until the mirror has proved useful.
#pragma once

#include <cstddef>
#include <cstdint>

#include "mirror/cost.hpp"
#include "mirror/tuning.hpp"
#include "stats/counters.hpp"

namespace kev::mirror {

// What identifies an array: poll's address, or select's three.
struct Key {
  const void* address[3] = {};
  bool operator==(const Key&) const = default;
};

// The calls of one array that go to the kernel without a look at what is remembered: for the thread's array of which it
// is known for longest. Words of the thread's own; what a handler does to them costs a call on the slower path.
struct Bypass {
  const void* address = nullptr;
  unsigned left = 0;

  bool covers(const void* array) {
    if (address != array || left == 0) return false;
    --left;
    return true;
  }
  // Takes over what is left to skip for `array`. Returns how much of it.
  unsigned take(const void* array, unsigned skip) {
    if (left > 0) {
      --left;  // of an array that may be gone
      return 0;
    }
    address = array;
    left = skip < 1024 ? skip : 1024;
    return left;
  }
};
inline thread_local constinit Bypass bypass;

struct Slot {
  Key key;
  unsigned seen = 0;     // calls so far, up to promotion
  unsigned skip = 0;     // calls still left to the kernel after it did not work out
  size_t proven = 0;     // the most bytes at these addresses that the kernel was given, and took
  bool grew = false;     // this call has more than that
  unsigned penalty = 0;  // what `skip` was set to last
  unsigned useful = 0;   // answers since
  unsigned found = 0;    // what the program's own call before the next attempt has found
  bool lapsed = false;   // the last call was the kernel's: what it said is more than the mirror may know
  uint64_t used = 0;     // tick of the last call
  int64_t balance_ns = 0;
  stats::Fallback skip_reason = {};

  // Whether this call goes to the kernel by what is remembered; `reason` says why.
  bool stays_in_kernel(stats::Fallback& reason) {
    if (skip > 0) {
      --skip;
      reason = skip_reason;
      if (!stats::counting()) skip -= bypass.take(key.address[0], skip);
      return true;
    }
    if (seen < tuning.promote_after) {
      ++seen;
      reason = stats::Fallback::first;
      return true;
    }
    return false;
  }

  // Whether the next call of the array will not be left to the kernel, as far as is known.
  bool is_tried_next() const { return skip == 0 && seen >= tuning.promote_after; }

  // Whether that was nearly all of the `asked` that are asked for now. Known once.
  bool was_crowded(unsigned asked) {
    constexpr uint64_t kOf = 8, kNearlyAll = 7;
    bool crowded = found != 0 && found * kOf >= asked * kNearlyAll;
    found = 0;
    return crowded;
  }

  // Whether `bytes` at the addresses were memory for the kernel, page by page. If not, this call asks it.
  bool is_proven(size_t bytes) {
    constexpr uintptr_t kPage = 4096;
    bool same_pages = true;
    for (const void* address : key.address) {
      uintptr_t at = reinterpret_cast<uintptr_t>(address);
      if (at != 0 && (at + bytes - 1) / kPage > (at + proven - 1) / kPage) same_pages = false;
    }
    grew = bytes > proven;
    if (grew) proven = bytes;
    return same_pages;
  }

  // The program's own call failed: what is there may not be memory.
  void begin_anew() {
    seen = 0;
    found = 0;
    proven = 0;
  }

  // A mirror did not work out.
  void punish(stats::Fallback reason) {
    constexpr unsigned kFirst = 16, kFirstShared = 256, kLast = 8192;
    // Many threads with the same descriptors: that stays so.
    unsigned first = reason == stats::Fallback::shared ? kFirstShared : kFirst;
    penalty = penalty < first ? first : penalty < kLast ? penalty * 2 : kLast;
    skip = penalty;
    skip_reason = reason;
    useful = 0;
  }

  // What the mirror has saved, in nanoseconds, up to a reserve that pays for following an array that changes as a whole.
  // False: the kernel alone would have been cheaper.
  bool account(int64_t native_ns, int64_t core_ns, unsigned entries) {
    int64_t reserve = (64 + 3 * int64_t{entries}) * costs().core_entry_ns;
    balance_ns += native_ns - core_ns;
    if (balance_ns > reserve) balance_ns = reserve;
    if (native_ns > core_ns) reward();
    if (!tuning.choose_by_cost || balance_ns > -16 * costs().core_entry_ns) return true;
    balance_ns = 0;
    return false;
  }

  // A mirror answered.
  void reward() {
    constexpr unsigned kEnough = 64;
    if (++useful == kEnough) penalty = 0;
  }
};

// The slot of `key` among `count`, taken over from the one unused for longest if there is none; `evicted` then says
// that its mirror is to be closed. Null: all are in use. Ticks count the thread's calls.
inline Slot* find_slot(Slot* slots, unsigned count, const Key& key, uint64_t tick, bool& evicted) {
  constexpr uint64_t kUnusedFor = 64;  // an array that was of use is not given up sooner
  evicted = false;
  Slot* oldest = nullptr;
  for (Slot* slot = slots; slot != slots + count; ++slot) {
    if (slot->key == key) {
      slot->used = tick;
      return slot;
    }
    if (oldest == nullptr || slot->used < oldest->used) oldest = slot;
  }
  if (oldest->useful > 0 && tick - oldest->used < kUnusedFor) return nullptr;
  *oldest = {};
  oldest->key = key;
  oldest->used = tick;
  evicted = true;
  return oldest;
}

}  // namespace kev::mirror
