// The way that a poll and a select call share: find the slot, promote, bring in step, wait, leave, finish.
//
// A template over what differs between an array and sets: `Call` knows the mirror's type and how to open, sync, wait
// and make the program's own call. Lives here: the order of the steps. Does not: what a mirror does in each.
#pragma once

#include <cerrno>
#include <climits>

#include "mirror/registry.hpp"
#include "os/entries.hpp"
#include "mirror/thread_record.hpp"
#include "process/vfork.hpp"

namespace kev::mirror {

// The result of a call that the core does not take: the program's own call is to be made, unchanged.
inline constexpr int kNotOurs = INT_MIN;

template <typename Call>
int not_ours(const Call&, stats::Fallback reason) {
  stats::add(reason);
  return kNotOurs;
}

// Closes what the thread's other calls have not used for long: registrations cost whoever makes events.
template <typename Mirror>
void close_unused(Slot* slots, Mirror* mirrors, unsigned count, uint64_t tick) {
  constexpr uint64_t kUnusedFor = 4096;
  for (unsigned i = 0; i < count; ++i)
    if (mirrors[i].is_open() && tick - slots[i].used > kUnusedFor) {
      mirrors[i].close();
      slots[i].seen = 0;
    }
}

// The program's own call failed: begins anew with its slot.
template <typename Call>
void call_failed(const Call& call) {
  stats::Fallback reason;
  if (process::in_vfork_child()) return;
  ThreadRecord* record = enter(reason);
  if (record == nullptr) return;
  Slot* slots = call.slots(*record);
  for (unsigned i = 0; i < call.kSlots; ++i)
    if (slots[i].key == call.key()) slots[i].seen = 0;
  leave(record);
}

template <typename Call>
int wait_by_mirror(const Call& call, const wait::Deadline& deadline, const sigset_t* mask) {
  using stats::Fallback;
  if (process::in_vfork_child()) return not_ours(call, Fallback::revoked);
  check_generation();
  Fallback reason;
  ThreadRecord* record = enter(reason);
  if (record == nullptr) return not_ours(call, reason);
  uint64_t tick = ++record->tick;
  Slot* slots = call.slots(*record);
  auto* mirrors = call.mirrors(*record);
  if (tick % 1024 == 0) close_unused(slots, mirrors, call.kSlots, tick);

  bool evicted;
  Slot* slot = find_slot(slots, call.kSlots, call.key(), tick, evicted);
  if (slot == nullptr) {
    leave(record);
    return not_ours(call, Fallback::first);
  }
  auto& mirror = mirrors[slot - slots];
  if (evicted) mirror.close();
  if (slot->stays_in_kernel(reason)) {
    leave(record);
    return not_ours(call, reason);
  }
  // Only now is the array looked at: the kernel has taken it before.
  if (!call.worthwhile()) {
    slot->punish(Fallback::small);
    leave(record);
    return not_ours(call, Fallback::small);
  }
  bool ok = true;
  bool is_new = !call.fits(mirror);
  unsigned entries_before = os::kernel_entries;
  if (is_new) {
    mirror.close();
    ok = !is_stopped() && !is_paused() && call.open(mirror, wake_descriptor()) >= 0;
    reason = Fallback::resources;
  }
  // A filter came in between: it must not meet a system call of ours.
  if (ok && is_stopped()) {
    ok = false;
    reason = Fallback::filtered;
  }
  if (!ok || !call.sync(mirror, reason)) {
    // What passes by itself is tried again at the next call; what does not is left to the kernel for a while.
    if (reason == Fallback::changed && !slot->account(0, costs().core_entry_ns, 0)) {
      mirror.close();
      slot->punish(reason);
    } else if (reason != Fallback::changed && reason != Fallback::mostly_ready && reason != Fallback::closed) {
      mirror.close();
      slot->punish(reason);
    }
    leave(record);
    return not_ours(call, reason);
  }
  unsigned size = call.size();  // select's sets are written by the wait
  Answer answer = call.wait(mirror, deadline, mask);
  if (is_new) {
    slot->balance_ns = 0;
    measure_costs(wake_descriptor());
  } else if (answer.kind == Answer::Kind::done || answer.reason == Fallback::long_sleep) {
    int64_t entries = os::kernel_entries - entries_before;
    if (entries > 3) entries += entries - 3;  // registering looks at the descriptor first
    // A call that may sleep enters itself with every descriptor, and leaves again.
    int64_t each_ps = costs().entry_ps * (deadline.is_now() ? 1 : 2);
    bool by_core = answer.kind == Answer::Kind::done;
    if (!by_core) entries += 8;  // the wake-up, and all of the program's own call
    int64_t native = by_core ? costs().poll_ns + size * each_ps / 1000 : 0;
    if (!slot->account(native, entries * costs().core_entry_ns + 200 + size / 2, size)) {
      slot->punish(Fallback::costly);
      // Kept for the first retries: making it anew costs more than it costs those who make events.
      if (slot->penalty >= 128) mirror.close();
    }
  }
  if (answer.kind == Answer::Kind::done) {
    leave(record);
    return answer.result;
  }
  leave(record);

  stats::add(answer.reason);
  int result = call.own(deadline, mask);
  bool verified = answer.reason == Fallback::verify || answer.reason == Fallback::long_sleep;
  if (verified && result != 0 && result != -EINTR && !is_stopped()) {
    // Between the two, anything may have happened to the record: a revoker, a fork, another call in a handler.
    ThreadRecord* again = enter(reason);
    if (again == record && mirror.is_open() && slot->key == call.key()) call.check(mirror, result);
    if (again != nullptr) leave(again);
  }
  return result;
}

}  // namespace kev::mirror
