// What a thread knows of the epoll sets that it asks again and again: the words from which epoll_wait() with timeout 0
// is answered, or told at once that it is not.
//
// Plain words of the calling thread, a few, chosen by the set's number. Lives here: what is read in each call. Does not:
// how it comes to be true (program_sets.hpp).
#pragma once

#include <cstdint>
#include <ctime>

#include "bell/ring.hpp"
#include "bell/spin.hpp"
#include "cancel/record.hpp"
#include "os/clock.hpp"
#include "process/fd_table.hpp"
#include "process/generation.hpp"
#include "process/vfork.hpp"

namespace kev::bell {

struct Silence {
  int epfd = -1;
  bool is_armed = false;  // it has a bell
  bool spins = false;     // a wait watches the bell before it sleeps
  unsigned bell = 0;      // while it is silent, and the ring has no news, the set is empty
  int max = 0;            // the arguments of the last call that the kernel has judged
  const void* events = nullptr;
  const Ring* ring = nullptr;
  uint32_t changes = 0;    // process::held_fd_changes
  unsigned empty = 0;      // not armed: calls that found nothing, lately
  unsigned answers = 0;    // armed: given from here since the account was made up
  unsigned others = 0;     // armed: calls since then on other sets that would stand here
  int64_t asked_ns = 0;    // when the kernel was asked last, on the coarse clock: before it looked
  int64_t asking_ns = 0;   // the same of the program's own call, until its result is known
};

inline constexpr unsigned kSets = 4;
inline thread_local constinit Silence silences[kSets];

inline Silence& silence_of(int epfd) { return silences[static_cast<unsigned>(epfd) % kSets]; }

// How long the kernel is not asked, in steps of the coarse clock, and after how many empty calls a set gets a bell. Set
// once.
inline constinit int64_t verify_ns = 5'000'000;
inline constinit unsigned arm_after = 64;

// Read in a fifth of the time of the fine one; behind by a tick at most.
inline int64_t coarse_ns() { return os::clock_ns(CLOCK_MONOTONIC_COARSE); }

// setns() into a time namespace may have put the clock back.
inline bool is_due(const Silence& silence, int64_t now) {
  return now - silence.asked_ns >= verify_ns || now < silence.asked_ns;
}

// Whether the set has a bell, so that ProgramSets::is_empty() may know.
inline bool is_armed(int epfd) {
  const Silence& silence = silence_of(epfd);
  return silence.epfd == epfd && silence.is_armed;
}

inline bool spins(int epfd) { return is_armed(epfd) && silence_of(epfd).spins; }

// Whether epoll_wait(epfd, events, max, 0) finds nothing. False: it is not known. No system call, any context.
// Precondition: process::mark_generation() succeeded.
inline bool says_nothing(int epfd, const void* events, int max) {
  Silence& silence = silence_of(epfd);
  if (silence.epfd != epfd || !silence.is_armed || silence.events != events || silence.max != max) return false;
  // A handler may drop the bell at any moment: what is looked at is still a ring then, and the rest says so.
  const Ring* ring = silence.ring;
  unsigned bell = silence.bell;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (ring == nullptr) return false;
  if (process::is_forked_child() || process::in_vfork_child()) return false;
  if (silence.changes != process::held_fd_changes.load(std::memory_order_acquire)) return false;
  if (cancel::self().requests.load(std::memory_order_relaxed) != 0) return false;
  if (is_due(silence, coarse_ns()) || !ring->is_silent(bell) || ring->has_news()) return false;
  ++silence.answers;
  return true;
}

// After a call on `epfd` that the kernel has answered: whether ProgramSets::learn() has to know. `waits`: its timeout was
// not 0.
inline bool is_worth_learning(int epfd, bool waits, int result) {
  Silence& silence = silence_of(epfd);
  if (silence.epfd != epfd) {
    constexpr unsigned kEnoughOthers = 256;
    if (silence.is_armed) return ++silence.others >= kEnoughOthers;
    silence = {};
    silence.epfd = epfd;
  }
  if (silence.is_armed) return true;
  if ((result == 0 && !waits) || (waits && spin_ns > 0)) return ++silence.empty >= arm_after;
  if (silence.empty != 0) silence.empty /= 2;
  return false;
}

}  // namespace kev::bell
