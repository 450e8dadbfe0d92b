// Where an array mirror looks at its descriptors; the rules stand in place.hpp.
//
// A watched descriptor is held (process/fd_table.hpp) for as long as it is registered, so that what becomes of its
// number is noted; a direct one needs no note, since the kernel is asked of it each time.
#include <cerrno>

#include "mirror/array_mirror.hpp"
#include "mirror/eligible.hpp"
#include "mirror/poll_bits.hpp"
#include "mirror/tuning.hpp"
#include "mirror/watch_limit.hpp"
#include "os/entries.hpp"
#include "process/fd_table.hpp"
#include "process/private_fds.hpp"

namespace kev::mirror {

using stats::Fallback;
using wait::WaitSet;

// The events that its positions ask for, in the program's own words.
short ArrayMirror::events_of(const Interest& interest) const {
  int events = 0;
  for (uint32_t at = interest.first; at != 0; at = next_[at - 1]) events |= shadow_[at - 1].events;
  return static_cast<short>(events);
}

// A descriptor that was not in the array comes in at `position`.
bool ArrayMirror::come_in(int fd, unsigned position, Fallback& reason) {
  if (closed_ == Closed::fails_the_call) {
    Kind kind = kind_of(fd);
    reason = kind == Kind::closed ? Fallback::closed : Fallback::kind;
    if (kind != Kind::watchable) return false;
  }
  Interest& interest = set_.insert(fd);
  interest.first = position + 1;
  make_direct(interest, calls_ - tuning.watch_after + tuning.watch_new_after);
  return true;
}

void ArrayMirror::make_direct(Interest& interest, uint32_t last_ready) {
  interest.place = place::direct(direct_.add(interest.fd, events_of(interest), last_ready));
}

void ArrayMirror::leave_direct(Interest& interest) {
  unsigned index = place::index(interest);
  int moved = direct_.remove(index);
  if (moved >= 0) set_.find(moved)->place = place::direct(index);
}

// Registers a direct descriptor with the engine, and takes it out of the direct list. False: `reason` says why not.
bool ArrayMirror::watch(Interest& interest, Fallback& reason) {
  process::FdSlot* slot = process::hold_fd(interest.fd);
  reason = Fallback::kind;
  if (slot == nullptr) return false;
  uint32_t marks = slot->marks.load(std::memory_order_relaxed);
  bool is_ours = (marks & process::kPrivate) != 0;
  bool has_room = (marks & process::kHolders) <= kMaxHolders;
  if (!has_room) reason = Fallback::shared;
  bool is_taken = !is_ours && has_room && take_watch();
  if (is_taken) {
    // Read before the registration: a change that comes later is found by its number.
    interest.generation = slot->generation.load(std::memory_order_acquire);
    uint32_t events = static_cast<uint32_t>(events_of(interest) & kPollBits);
    Kind kind = kind_of(interest.fd);
    if (kind == Kind::watchable && set_.watch(interest, events) >= 0) {
      process::program_uses(interest.fd);
      leave_direct(interest);
      interest.place = place::watched(events, calls_ - tuning.busy_within - 1);
      ++watched_;
      return true;
    }
    give_watches(1);
    if (kind != Kind::kernel_only) reason = kind == Kind::closed ? Fallback::closed : Fallback::resources;
  }
  process::release_fd(interest.fd);
  return false;
}

// Gives a registration back; the entry has no place then. False: what was registered is not the number's present file.
bool ArrayMirror::unwatch(Interest& interest) {
  int error = set_.unwatch(interest);
  process::release_fd(interest.fd);
  give_watches(1);
  --watched_;
  return error >= 0;
}

// Looks at some direct descriptors, and has those watched that were quiet for long enough. A few at a time: a wait is
// not to take much longer for it than the kernel's own scan would.
void ArrayMirror::watch_what_is_quiet() {
  constexpr uint32_t kTryAgainAfter = 4096;
  unsigned looks = tuning.watch_new_after == 0 ? direct_.size() : 8 + direct_.size() / 8;
  unsigned budget = tuning.watch_new_after == 0 ? direct_.size() : 8 + count_ / 64;
  if (looks > direct_.size()) looks = direct_.size();
  unsigned entries_before = os::kernel_entries;
  for (; looks > 0 && budget > 0; --looks) {
    if (++sweep_ > direct_.size()) sweep_ = 1;
    int32_t quiet_for = static_cast<int32_t>(calls_ - direct_.last(sweep_));
    if (quiet_for < static_cast<int32_t>(tuning.watch_after)) continue;
    --budget;
    if (watch(*set_.find(direct_[sweep_].fd), refusal_)) {
      --sweep_;  // another one stands there now
      if (refused_ > 0) --refused_;
    } else {
      direct_.last(sweep_) = calls_ + kTryAgainAfter;
      ++refused_;
    }
  }
  spent_on_watching_ = os::kernel_entries - entries_before;
}

// Whether so much cannot be watched that asking for all of it is the kernel's own scan, at the mirror's cost.
bool ArrayMirror::is_refused() const { return tuning.choose_by_cost && refused_ > 8 + set_.size() / 4; }

// What the kernel said of the descriptors that the engine reported.
void ArrayMirror::learn(const pollfd* reported, int count) {
  for (int i = 0; i < count; ++i) {
    pollfd result = reported[i];  // behind the direct list, which may grow over it
    Interest* interest = set_.find(result.fd);
    if (result.revents != 0 && place::calls_since_report(*interest, calls_) > tuning.busy_within) {
      interest->place = place::watched(place::events(*interest), calls_);
      continue;
    }
    // Busy; or another thread was faster; or it is a file that is no longer there, which cannot be taken out by its
    // number.
    if (!unwatch(*interest)) stale_ = true;
    make_direct(*interest, calls_);
  }
}

// Descriptors that some mirror holds were closed or made anew: those of this mirror are watched no longer.
void ArrayMirror::follow_closes() {
  changes_seen_ = process::held_fd_changes.load(std::memory_order_acquire);
  auto has_changed = [](const Interest& interest) {
    return !place::is_direct(interest) &&
           process::fd_slot(interest.fd)->generation.load(std::memory_order_acquire) != interest.generation;
  };
  bool any_orphan = false;
  set_.for_each([&](Interest& interest) {
    if (!has_changed(interest)) return;
    process::FdSlot* slot = process::fd_slot(interest.fd);
    // What a closed number leaves in the set while another process has its file cannot be removed one by one.
    if ((slot->marks.fetch_and(~process::kShared, std::memory_order_relaxed) & process::kShared) != 0) stale_ = true;
    if (interest.first == 0) {
      any_orphan = true;
    } else {
      unwatch(interest);
      make_direct(interest, calls_);
    }
  });
  if (!any_orphan) return;
  set_.erase_if([&](const Interest& interest) { return interest.first == 0 && has_changed(interest); },
                [&](Interest& interest) {
                  unwatch(interest);
                  --orphans_;
                });
}

void ArrayMirror::release_holds() {
  set_.for_each([](const Interest& interest) {
    if (!place::is_direct(interest)) process::release_fd(interest.fd);
  });
  give_watches(watched_);
}

// Begins with an empty engine: every descriptor is asked directly.
bool ArrayMirror::start_over() {
  release_holds();
  close_engine();
  set_.discard();
  set_.erase_if([](const Interest& interest) { return !place::is_direct(interest) && interest.first == 0; },
                [](const Interest&) {});
  set_.for_each([&](Interest& interest) {
    if (!place::is_direct(interest)) make_direct(interest, calls_ - tuning.watch_after + tuning.watch_new_after);
  });
  watched_ = orphans_ = 0;
  changes_seen_ = process::held_fd_changes.load(std::memory_order_acquire);
  stale_ = engine_.open() < 0;
  return !stale_;
}

}  // namespace kev::mirror
