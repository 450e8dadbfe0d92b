// Arming, asking and giving up; what is known, and how, stands in program_sets.hpp.
#include "bell/program_sets.hpp"

#include <poll.h>

#include "bell/nested.hpp"
#include "bell/refusal.hpp"
#include "os/poll.hpp"
#include "os/thread.hpp"

namespace kev::bell {

bool ProgramSets::is_same_number(const Set& set) {
  process::FdSlot* slot = process::fd_slot(set.epfd);
  return slot != nullptr && slot->generation.load(std::memory_order_acquire) == set.generation;
}

void ProgramSets::drop(Ring& ring, Set& set) {
  if (set.epfd < 0) return;
  if (ring.is_open()) ring.disarm(set.bell);
  process::release_fd(set.epfd);
  if (silence_of(set.epfd).epfd == set.epfd) silence_of(set.epfd) = {};
  set.epfd = -1;
}

void ProgramSets::charge(Ring& ring, Set& set, int calls) {
  if (!set.worth.costs(calls)) drop(ring, set);
}

// Brings what is known in step with the ring and with the number. False: the set has no bell any more.
bool ProgramSets::refresh(Ring& ring, Set& set) {
  Silence& silence = silence_of(set.epfd);
  set.worth.spares(silence.answers);
  silence.answers = 0;
  bool is_there = is_same_number(set) && (!ring.has_news() || ring.collect()) && ring.is_armed(set.bell);
  if (!is_there) {
    drop(ring, set);
    return false;
  }
  return true;
}

bool ProgramSets::is_empty(Ring& ring, int epfd, const void* events, int max) {
  Set& set = at(epfd);
  Silence& silence = silence_of(epfd);
  if (set.epfd != epfd || !ring.is_open()) {
    silence = {};
    return false;
  }
  uint32_t changes = process::held_fd_changes.load(std::memory_order_acquire);
  bool had_news = ring.has_news();
  if (!refresh(ring, set)) return false;
  if (silence.events != events || silence.max != max) return false;
  if (ring.is_silent(set.bell)) {
    if (is_due(silence, coarse_ns())) return false;
    silence.changes = changes;
    return true;
  }
  if (had_news) {
    charge(ring, set, 1);
    return false;
  }
  pollfd look = {epfd, POLLIN, 0};
  if (os::poll_now(&look, 1) != 0 || ring.has_news()) {
    charge(ring, set, 1);
    return false;
  }
  if (set.epfd != epfd || !ring.is_armed(set.bell)) return false;  // a handler forked: this is the child
  ring.hush(set.bell);
  silence.changes = changes;
  silence.asked_ns = coarse_ns();
  return true;
}

void ProgramSets::arm(Ring& ring, Set& set, int epfd) {
  drop(ring, set);
  Silence& silence = silence_of(epfd);
  silence.empty = 0;
  if (is_refused() || nested.has(epfd) || !process::map_fd_table()) return;
  process::FdSlot* slot = process::hold_fd(epfd);
  if (slot == nullptr) return;
  uint32_t generation = slot->generation.load(std::memory_order_acquire);
  int bell = arm_in(ring, epfd);
  if (bell < 0) {
    process::release_fd(epfd);
    return;
  }
  set.epfd = epfd;
  set.bell = static_cast<unsigned>(bell);
  set.generation = generation;
  set.worth.begin();
  silence = {};
  silence.epfd = epfd;
  silence.is_armed = true;
  silence.ring = &ring;
  silence.bell = set.bell;
  silence.spins = spin_ns > 0 && set.spin.is_on();
}

void ProgramSets::learn(Ring& ring, int epfd, const void* events, int max, int result) {
  Set& set = at(epfd);
  Silence& silence = silence_of(epfd);
  if (silence.epfd != epfd) return drop(ring, set);  // others have asked for its place long enough
  silence.others = 0;
  if (!silence.is_armed) {
    if (set.last_epfd != epfd) {
      set.worth = {};
      set.spin = {};
    }
    set.last_epfd = epfd;
    if (silence.empty >= arm_after << set.worth.patience()) arm(ring, set, epfd);
    return;
  }
  if (set.epfd != epfd || !ring.is_open()) {
    silence = {};
    return;
  }
  bool was_empty = ring.is_silent(set.bell) && !ring.has_news();
  if (result < 0) return drop(ring, set);
  if (!refresh(ring, set)) return;
  silence.events = events;
  silence.max = max;
  silence.asked_ns = coarse_ns();
  if (result == 0) return;
  // The number stands for another file than the one that has the bell: a bare system call has closed it.
  if (was_empty) return drop(ring, set);
  if (silence.spins) return;  // which has an account of its own
  set.spin.skip();
  silence.spins = spin_ns > 0 && set.spin.is_on();
  charge(ring, set, 1);
}

// What has come before the ring was found quiet has rung before, and is looked for.
bool ProgramSets::spin(Ring& ring, int epfd, int64_t until_ns) {
  Set& set = at(epfd);
  if (set.epfd != epfd || !ring.is_open()) return true;
  bool had_news = ring.has_news();
  if (!refresh(ring, set)) return true;
  pollfd look = {epfd, POLLIN, 0};
  if (had_news && os::poll_now(&look, 1) != 0) return true;
  int64_t begin = os::clock_ns(CLOCK_MONOTONIC);
  int64_t end = begin + spin_ns < until_ns ? begin + spin_ns : until_ns;
  uint32_t requests = cancel::self().requests.load(std::memory_order_relaxed);
  constexpr int kLooksPerClock = 8;
  bool hit;
  do {
    for (int i = 0; i < kLooksPerClock && !ring.has_news(); ++i) arch::relax();
    hit = ring.has_news();
  } while (!hit && cancel::self().requests.load(std::memory_order_relaxed) == requests &&
           os::clock_ns(CLOCK_MONOTONIC) < end);
  set.spin.ended(hit, os::involuntary_switches);
  silence_of(epfd).spins = set.spin.is_on();
  return hit;
}

void ProgramSets::drop(Ring& ring, int epfd) {
  Set& set = at(epfd);
  if (set.epfd == epfd) drop(ring, set);
}

void ProgramSets::close(Ring& ring) {
  for (Set& set : sets_) drop(ring, set);
}

void ProgramSets::forget() {
  for (Set& set : sets_) set = {};
  for (Silence& silence : silences) silence = {};
}

}  // namespace kev::bell
