// Keeping an array mirror in step with the program's array.
//
// The state after every step, also a failed one: each position of the shadow with a descriptor >= 0 is linked into
// that descriptor's interest; each interest has at least one position, or is an orphan; and it is looked at for the
// union of its positions' events. A position that could not be followed has -1 in the shadow, so that the next call
// finds it different and tries again.
#include <cstring>

#include "mirror/array_mirror.hpp"
#include "mirror/compare.hpp"
#include "mirror/poll_bits.hpp"
#include "mirror/tuning.hpp"
#include "process/fd_table.hpp"

namespace kev::mirror {

using stats::Fallback;

namespace {

bool same(const pollfd& a, const pollfd& b) { return a.fd == b.fd && a.events == b.events; }

// A few descriptors to come back to; when it overflows, the caller does the whole.
class ShortList {
 public:
  void add(int fd) {
    if (count_ < kRoom) fds_[count_] = fd;
    ++count_;
  }
  bool overflowed() const { return count_ > kRoom; }
  const int* begin() const { return fds_; }
  const int* end() const { return fds_ + (count_ < kRoom ? count_ : kRoom); }

 private:
  static constexpr unsigned kRoom = 64;
  unsigned count_ = 0;
  int fds_[kRoom];
};

}  // namespace

bool ArrayMirror::sync(const pollfd* fds, unsigned count, Fallback& reason) {
  ++calls_;
  reason = Fallback::resources;
  if (stale_ && !start_over()) return false;
  if (scan(fds, count) && !follow(fds, count, reason)) return false;
  if (process::held_fd_changes.load(std::memory_order_acquire) != changes_seen_) follow_closes();
  if (stale_ && !start_over()) return false;
  watch_what_is_quiet();
  if (!is_refused()) return true;
  reason = refusal_;
  return false;
}

// Compares the array with the shadow, and notes for each block of it whether there is something to clear, and whether
// there is something to follow. True: there is.
bool ArrayMirror::scan(const pollfd* fds, unsigned count) {
  if (count == count_) return compare_blocks(fds, shadow_, count, blocks_);
  memset(blocks_, kHasRevents | kHasChanged, blocks_of(count));
  return true;
}

void ArrayMirror::clear(pollfd* fds, unsigned count) const {
  for_each_in_blocks(blocks_, kHasRevents, count, [&](unsigned i) { fds[i].revents = 0; });
}

// More than half of the entries differ: following them costs about as much as the kernel's scan.
bool ArrayMirror::changed_wholesale(const pollfd* fds, unsigned count) const {
  unsigned common = count < count_ ? count : count_;
  unsigned changed = count > common ? count - common : count_ - common;
  for_each_in_blocks(blocks_, kHasChanged, common, [&](unsigned i) { changed += !same(fds[i], shadow_[i]); });
  return changed > 8 && changed > count / 2;
}

// Follows the array, unless it does nothing but change.
bool ArrayMirror::follow(const pollfd* fds, unsigned count, Fallback& reason) {
  constexpr uint32_t kSeldom = 16;
  if (count_ > 0 && changed_wholesale(fds, count)) {
    reason = Fallback::changed;
    if (calls_ - wholesale_at_ < kSeldom) return false;
    wholesale_at_ = calls_;
  }
  if (!apply(fds, count, reason)) return false;
  if (orphans_ > kMaxOrphans) drop_emptied();
  return true;
}

bool ArrayMirror::apply(const pollfd* fds, unsigned count, Fallback& reason) {
  bool ok = true;
  ShortList emptied;  // descriptors whose last position went; a later position may bring them back
  auto leave = [&](unsigned position) {
    int fd = shadow_[position].fd;
    if (fd >= 0 && unlink(position)) emptied.add(fd);
    shadow_[position].fd = -1;
  };
  while (count_ > count) leave(--count_);
  while (count_ < count) {
    shadow_[count_] = {-1, 0, 0};
    next_[count_++] = 0;
  }
  for_each_in_blocks(blocks_, kHasChanged, count, [&](unsigned i) {
    // What stands in the way of one entry by being closed does not keep the others from being followed.
    if (same(fds[i], shadow_[i]) || (!ok && reason != Fallback::closed)) return;
    leave(i);
    shadow_[i] = {fds[i].fd, fds[i].events, 0};
    // The table has room for the array, not for what leaves it and what comes at once.
    if (set_.size() >= capacity_) drop_emptied();
    Fallback why;
    if (fds[i].fd >= 0 && !link(i, why)) {
      shadow_[i].fd = -1;
      if (ok || why != Fallback::closed) reason = why;
      ok = false;
    }
  });
  auto is_gone = [](const Interest& interest) { return interest.first == 0 && place::is_direct(interest); };
  if (emptied.overflowed()) {
    set_.erase_if(is_gone, [&](Interest& interest) { leave_direct(interest); });
  } else {
    for (int fd : emptied) {
      Interest* interest = set_.find(fd);
      if (interest != nullptr && is_gone(*interest)) drop(interest);
    }
  }
  return ok;
}

// Forgets an entry, and what was done to look at its descriptor.
void ArrayMirror::drop(Interest* interest) {
  if (place::is_direct(*interest)) {
    leave_direct(*interest);
  } else {
    if (!unwatch(*interest)) stale_ = true;
    if (interest->first == 0) --orphans_;
  }
  set_.erase(interest);
}

// Drops every entry without a position. One by one they cost a call each; closing the engine takes them along.
void ArrayMirror::drop_emptied() {
  if (orphans_ > kMaxOrphans && orphans_ > watched_ / 2) start_over();
  set_.erase_if([](const Interest& interest) { return interest.first == 0; },
                [&](Interest& interest) {
                  if (place::is_direct(interest))
                    leave_direct(interest);
                  else
                    unwatch(interest);
                });
  orphans_ = 0;
}

// Takes `position` out of its descriptor's chain. True if the chain is empty now.
bool ArrayMirror::unlink(unsigned position) {
  Interest* interest = set_.find(shadow_[position].fd);
  uint32_t* at = &interest->first;
  while (*at != position + 1) at = &next_[*at - 1];
  *at = next_[position];
  next_[position] = 0;
  if (interest->first == 0) {
    if (!place::is_direct(*interest)) ++orphans_;
    return true;
  }
  look_for_changed_events(*interest);
  return false;
}

// Adds `position` to its descriptor's chain.
bool ArrayMirror::link(unsigned position, Fallback& reason) {
  Interest* interest = set_.find(shadow_[position].fd);
  if (interest == nullptr) return come_in(shadow_[position].fd, position, reason);
  if (!place::is_direct(*interest) && interest->first == 0) --orphans_;
  next_[position] = interest->first;
  interest->first = position + 1;
  if (!place::is_direct(*interest) && (interest->place & place::kUnverified) != 0) {
    unwatch(*interest);
    make_direct(*interest, calls_);
  }
  look_for_changed_events(*interest);
  return true;
}

// What the positions of `interest` ask for may be something else now.
void ArrayMirror::look_for_changed_events(Interest& interest) {
  short events = events_of(interest);
  if (place::is_direct(interest)) {
    direct_[place::index(interest)].events = events;
  } else if (static_cast<uint32_t>(events & kPollBits) != place::events(interest)) {
    unwatch(interest);
    make_direct(interest, calls_);
  }
}

}  // namespace kev::mirror
