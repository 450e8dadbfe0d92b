// Keeping an array mirror in step with the program's array and with what happens to its descriptors.
//
// The state after every step, also a failed one: each position of the shadow with a descriptor >= 0 is linked into
// that descriptor's interest, each interest has at least one position and is registered for the union of its
// positions' events. A position that could not be registered has -1 in the shadow, so that the next call finds it
// different and tries again.
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "mirror/array_mirror.hpp"
#include "mirror/eligible.hpp"
#include "mirror/tuning.hpp"
#include "process/fd_table.hpp"
#include "process/private_fds.hpp"

namespace kev::mirror {

using stats::Fallback;
using wait::Interest;

namespace {

// The bits that poll() knows; the others of `events` select nothing, and epoll_ctl may take them for its own.
constexpr int kPollBits =
    POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND | POLLMSG | POLLRDHUP;

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
  if (skip_ > 0) {
    --skip_;
    reason = Fallback::mostly_ready;
    return false;
  }
  if (stale_ && !start_over()) {
    reason = Fallback::resources;
    return false;
  }
  if (process::held_fd_changes.load(std::memory_order_acquire) != changes_seen_ && !follow_closes()) {
    reason = Fallback::resources;
    return false;
  }
  if (!scan(fds, count)) return true;
  unsigned common = count < count_ ? count : count_;
  if (count_ > 0 && changed_wholesale(fds, count, common)) {
    reason = Fallback::changed;
    return false;
  }
  return apply(fds, count, reason);
}

// Compares the array with the shadow, and notes which blocks of it have revents to be cleared. One pass that the
// compiler vectorises: an entry is 8 bytes, of which the shadow's revents are 0.
bool ArrayMirror::scan(const pollfd* fds, unsigned count) {
  static_assert(sizeof(pollfd) == 8 && offsetof(pollfd, revents) == 6 && std::endian::native == std::endian::little);
  if (count != count_) {
    memset(dirty_, 1, count / kBlock + 1);
    return true;
  }
  uint64_t all = 0;
  for (unsigned begin = 0; begin < count; begin += kBlock) {
    unsigned end = begin + kBlock < count ? begin + kBlock : count;
    uint64_t difference = 0;
    for (unsigned i = begin; i < end; ++i) {
      uint64_t given, known;
      memcpy(&given, &fds[i], sizeof given);
      memcpy(&known, &shadow_[i], sizeof known);
      difference |= given ^ known;
    }
    dirty_[begin / kBlock] = difference >> 48 != 0;
    all |= difference;
  }
  return all << 16 != 0;
}

void ArrayMirror::clear(pollfd* fds, unsigned count) const {
  for (unsigned begin = 0; begin < count; begin += kBlock) {
    if (dirty_[begin / kBlock] == 0) continue;
    unsigned end = begin + kBlock < count ? begin + kBlock : count;
    for (unsigned i = begin; i < end; ++i) fds[i].revents = 0;
  }
}

// More than half of the entries differ: following them costs more than the kernel's scan.
bool ArrayMirror::changed_wholesale(const pollfd* fds, unsigned count, unsigned common) const {
  unsigned changed = count > common ? count - common : count_ - common;
  for (unsigned i = 0; i < common; ++i) changed += !same(fds[i], shadow_[i]);
  return changed > 8 && changed > count / 2;
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
  // What stands in the way of one entry by being closed does not keep the others from being followed.
  for (unsigned i = 0; i < count && (ok || reason == Fallback::closed); ++i) {
    if (same(fds[i], shadow_[i])) continue;
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
  }
  auto drop_if_empty = [&](int fd) {
    Interest* interest = set_.find(fd);
    if (interest != nullptr && interest->first == 0) drop(interest);
  };
  if (emptied.overflowed()) {
    drop_emptied();
  } else {
    for (int fd : emptied) drop_if_empty(fd);
  }
  return ok;
}

// Drops every interest without a position.
void ArrayMirror::drop_emptied() {
  set_.remove_if([](const Interest& interest) { return interest.first == 0; },
                 [](const Interest& interest) { process::release_fd(interest.fd); });
}

// Takes `position` out of its descriptor's chain. True if the chain is empty now.
bool ArrayMirror::unlink(unsigned position) {
  Interest* interest = set_.find(shadow_[position].fd);
  uint32_t* at = &interest->first;
  while (*at != position + 1) at = &next_[*at - 1];
  *at = next_[position];
  next_[position] = 0;
  if (interest->first == 0) return true;
  uint32_t events = wanted(*interest);
  // The registration keeps more than is asked for if this fails: confirmation drops what it brings.
  if (events != interest->events) set_.change(*interest, events);
  return false;
}

// Adds `position` to its descriptor's chain, and registers what that asks for.
bool ArrayMirror::link(unsigned position, Fallback& reason) {
  const pollfd& entry = shadow_[position];
  Interest* interest = set_.find(entry.fd);
  if (interest == nullptr) {
    interest = watch(entry.fd, static_cast<uint32_t>(entry.events & kPollBits), reason);
    if (interest == nullptr) return false;
    interest->first = position + 1;
    return true;
  }
  next_[position] = interest->first;
  interest->first = position + 1;
  uint32_t events = wanted(*interest);
  if (events == interest->events || set_.change(*interest, events) >= 0) return true;
  interest->first = next_[position];
  next_[position] = 0;
  stale_ = true;
  reason = Fallback::closed;
  return false;
}

uint32_t ArrayMirror::wanted(const Interest& interest) const {
  uint32_t events = 0;
  for (uint32_t at = interest.first; at != 0; at = next_[at - 1])
    events |= static_cast<uint32_t>(shadow_[at - 1].events & kPollBits);
  return events;
}

Interest* ArrayMirror::watch(int fd, uint32_t events, Fallback& reason) {
  process::FdSlot* slot = process::hold_fd(fd);
  if (slot == nullptr || (slot->marks.load(std::memory_order_relaxed) & process::kPrivate) != 0) {
    process::release_fd(fd);
    reason = Fallback::kind;
    return nullptr;
  }
  if ((slot->marks.load(std::memory_order_relaxed) & process::kHolders) > kMaxHolders) {
    process::release_fd(fd);
    reason = Fallback::shared;
    return nullptr;
  }
  // Read before the registration: a change that comes later is found by its number.
  uint32_t generation = slot->generation.load(std::memory_order_acquire);
  Interest* interest = nullptr;
  switch (kind_of(fd)) {
    case Kind::closed:
      reason = Fallback::closed;
      break;
    case Kind::kernel_only:
      reason = Fallback::kind;
      break;
    case Kind::watchable:
      process::program_uses(fd);
      int error;
      interest = set_.add(fd, events, generation, error);
      reason = error == -EBADF ? Fallback::closed : error == -EPERM ? Fallback::kind : Fallback::resources;
      break;
  }
  if (interest == nullptr) process::release_fd(fd);
  return interest;
}

void ArrayMirror::drop(Interest* interest) {
  process::release_fd(interest->fd);
  set_.remove(interest);
}

// Descriptors that some mirror holds were closed or made anew: registers those of this mirror again.
bool ArrayMirror::follow_closes() {
  changes_seen_ = process::held_fd_changes.load(std::memory_order_acquire);
  ShortList changed;
  bool shared = false;
  set_.for_each([&](const Interest& interest) {
    process::FdSlot* slot = process::fd_slot(interest.fd);
    if (slot->generation.load(std::memory_order_acquire) == interest.generation) return;
    changed.add(interest.fd);
    if ((slot->marks.fetch_and(~process::kShared, std::memory_order_relaxed) & process::kShared) != 0) shared = true;
  });
  // What a closed number leaves in the set while another process has its file cannot be removed one by one.
  if (shared || changed.overflowed()) return start_over();
  for (int fd : changed) {
    Interest* interest = set_.find(fd);
    uint32_t generation = process::fd_slot(fd)->generation.load(std::memory_order_acquire);
    if (kind_of(fd) == Kind::watchable && set_.renew(*interest, generation) >= 0) continue;
    for (uint32_t at = interest->first; at != 0;) {
      uint32_t position = at - 1;
      at = next_[position];
      next_[position] = 0;
      shadow_[position].fd = -1;
    }
    interest->first = 0;
    drop(interest);
  }
  return true;
}

// Throws all registrations away and begins with an empty set.
bool ArrayMirror::start_over() {
  release_holds();
  set_.clear();
  count_ = 0;
  engine_.close();
  changes_seen_ = process::held_fd_changes.load(std::memory_order_acquire);
  stale_ = engine_.open() < 0;
  return !stale_;
}

}  // namespace kev::mirror
