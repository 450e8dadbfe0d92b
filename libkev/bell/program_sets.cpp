// Arming, asking and giving up; what is known, and how, stands in program_sets.hpp.
#include "bell/program_sets.hpp"

#include <poll.h>
#include <utility>

#include "bell/nested.hpp"
#include "bell/refusal.hpp"
#include "os/poll.hpp"
#include "os/thread.hpp"

namespace kev::bell {

bool ProgramSets::is_same_number(const Set& set) {
  process::FdSlot* slot = process::fd_slot(set.epfd);
  return slot != nullptr && slot->generation.load(std::memory_order_acquire) == set.generation;
}

void ProgramSets::drop(Set& set) {
  if (set.epfd < 0) return;
  set.ring.disarm();
  process::release_fd(set.epfd);
  if (silence_of(set.epfd).epfd == set.epfd) silence_of(set.epfd) = {};
  set.epfd = -1;
}

void ProgramSets::charge(Set& set, int calls) {
  if (!set.worth.costs(calls)) drop(set);
}

// Brings what is known in step with the ring and with the number. False: the set has no bell any more.
bool ProgramSets::refresh(Set& set) {
  Silence& silence = silence_of(set.epfd);
  set.worth.spares(silence.answers);
  silence.answers = 0;
  bool is_there = is_same_number(set) && (!set.ring.has_news() || set.ring.collect()) && set.ring.is_armed(set.bell);
  if (!is_there) {
    drop(set);
    return false;
  }
  return true;
}

bool ProgramSets::is_empty(int epfd, const void* events, int max) {
  Set& set = at(epfd);
  Silence& silence = silence_of(epfd);
  if (set.epfd != epfd || !set.ring.is_open()) {
    silence = {};
    return false;
  }
  uint32_t changes = process::held_fd_changes.load(std::memory_order_acquire);
  bool had_news = set.ring.has_news();
  if (!refresh(set)) return false;
  if (silence.events != events || silence.max != max) return false;
  if (set.ring.is_silent(set.bell)) {
    int64_t now = coarse_ns();
    if (is_due(silence, now)) {
      silence.asking_ns = now;
      return false;
    }
    silence.changes = changes;
    return true;
  }
  if (had_news) {
    charge(set, 1);
    return false;
  }
  int64_t now = coarse_ns();
  pollfd look = {epfd, POLLIN, 0};
  if (os::poll_now(&look, 1) != 0 || set.ring.has_news()) {
    charge(set, 1);
    return false;
  }
  if (set.epfd != epfd || !set.ring.is_armed(set.bell)) return false;  // a handler forked: this is the child
  set.ring.hush();
  silence.changes = changes;
  silence.asked_ns = now;
  return true;
}

void ProgramSets::arm(Set& set, int epfd) {
  drop(set);
  Silence& silence = silence_of(epfd);
  silence.empty = 0;
  if (is_refused() || nested.has(epfd) || !process::map_fd_table()) return;
  process::FdSlot* slot = process::hold_fd(epfd);
  if (slot == nullptr) return;
  uint32_t generation = slot->generation.load(std::memory_order_acquire);
  // Again, now that whoever puts it into another set sees the hold.
  int bell = nested.has(epfd) ? -EBUSY : arm_in(set.ring, epfd);
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
  silence.ring = &set.ring;
  silence.bell = set.bell;
  silence.spins = spin_ns > 0 && set.spin.is_on();
}

void ProgramSets::learn(int epfd, const void* events, int max, int result) {
  Set& set = at(epfd);
  Silence& silence = silence_of(epfd);
  if (silence.epfd != epfd) return drop(set);  // others have asked for its place long enough
  silence.others = 0;
  if (!silence.is_armed) {
    if (set.last_epfd != epfd) {
      set.worth = {};
      set.spin = {};
    }
    set.last_epfd = epfd;
    if (silence.empty >= arm_after << set.worth.patience()) arm(set, epfd);
    return;
  }
  if (set.epfd != epfd || !set.ring.is_open()) {
    silence = {};
    return;
  }
  bool was_empty = set.ring.is_silent(set.bell) && !set.ring.has_news();
  if (result < 0) return drop(set);
  if (!refresh(set)) return;
  silence.events = events;
  silence.max = max;
  int64_t asking_ns = std::exchange(silence.asking_ns, 0);
  if (result == 0) {
    if (asking_ns != 0) silence.asked_ns = asking_ns;
    return;
  }
  // The number stands for another file than the one that has the bell: a bare system call has closed it.
  if (was_empty) return drop(set);
  if (silence.spins) return;  // which has an account of its own
  set.spin.skip();
  silence.spins = spin_ns > 0 && set.spin.is_on();
  charge(set, 1);
}

// What has come before the ring was found quiet has rung before, and is looked for.
bool ProgramSets::spin(int epfd, int64_t until_ns) {
  Set& set = at(epfd);
  if (set.epfd != epfd || !set.ring.is_open()) return true;
  unsigned before = set.ring.collections();
  if (!refresh(set)) return true;
  pollfd look = {epfd, POLLIN, 0};
  if (set.ring.collections() != before && os::poll_now(&look, 1) != 0) return true;
  int64_t begin = os::clock_ns(CLOCK_MONOTONIC);
  int64_t end = begin + spin_ns < until_ns ? begin + spin_ns : until_ns;
  uint32_t requests = cancel::self().requests.load(std::memory_order_relaxed);
  constexpr int kLooksPerClock = 8;
  bool hit;
  do {
    for (int i = 0; i < kLooksPerClock && !set.ring.has_news(); ++i) arch::relax();
    hit = set.ring.has_news();
  } while (!hit && cancel::self().requests.load(std::memory_order_relaxed) == requests &&
           os::clock_ns(CLOCK_MONOTONIC) < end);
  set.spin.ended(hit, os::involuntary_switches);
  silence_of(epfd).spins = set.spin.is_on();
  return hit;
}

void ProgramSets::drop(int epfd) {
  Set& set = at(epfd);
  if (set.epfd == epfd) drop(set);
}

void ProgramSets::drop_all() {
  for (Set& set : sets_) drop(set);
}

void ProgramSets::forget() {
  for (Set& set : sets_) set.epfd = -1;
  for (Silence& silence : silences) silence = {};
}

}  // namespace kev::bell
