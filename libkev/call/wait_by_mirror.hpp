// The way that a poll and a select call share: find the slot, promote, bring in step, wait, leave, finish.
//
// A template over what differs between an array and sets: `Call` knows the mirror's type and how to open, sync, wait
// and make the program's own call. Lives here: the order of the steps. Does not: what a mirror does in each.
#pragma once

#include <cerrno>
#include <climits>

#include "cancel/libc.hpp"
#include "cancel/request.hpp"
#include "cancel/stub.hpp"
#include "mirror/cost.hpp"
#include "record/registry.hpp"
#include "record/thread_record.hpp"
#include "os/entries.hpp"
#include "process/vfork.hpp"

namespace kev::call {

using mirror::Answer;
using mirror::Slot;
using record::ThreadRecord;

// Calls left to the kernel from which on a mirror is not kept for the time after.
inline constexpr unsigned kPenaltyToClose = 128;

// The result of a call that the core does not take: the program's own call is to be made, unchanged.
inline constexpr int kNotOurs = INT_MIN;
// The same; what it finds is to be told (poll_found(), select_found()).
inline constexpr int kNotOursTell = INT_MIN + 1;
inline bool is_ours(int result) { return result > kNotOursTell; }

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

// Something is to be remembered of the program's own call: `note(slot)`.
template <typename Call, typename Note>
void note_own_call(const Call& call, Note note) {
  stats::Fallback reason;
  uint64_t cookie;
  if (process::in_vfork_child()) return;
  ThreadRecord* record = record::enter(reason, cookie);
  if (record == nullptr) return;
  Slot* slots = call.slots(*record);
  for (unsigned i = 0; i < call.kSlots; ++i)
    if (slots[i].key == call.key()) note(slots[i]);
  record::leave(record);
}

// Opens the slot's mirror if it is not open for this call, and brings it in step. False: `reason` says why not.
template <typename Call, typename Mirror>
bool prepare(const Call& call, Mirror& mirror, bool is_new, stats::Fallback& reason) {
  if (is_new) {
    mirror.close();
    reason = stats::Fallback::resources;
    if (record::is_paused()) return false;
    call.claim_numbers();
    if (call.open(mirror, record::wake_descriptor()) < 0) return false;
  }
  // A filter came in between: it must not meet a system call of ours.
  reason = stats::Fallback::filtered;
  return !record::is_stopped() && call.sync(mirror, reason);
}

// A mirror could not be used. What passes by itself is tried again at the next call; what does not is left to the
// kernel for a while.
template <typename Mirror>
void step_back(Slot& slot, Mirror& mirror, stats::Fallback reason) {
  if (reason == stats::Fallback::closed) return;
  slot.punish(reason);
  // Kept for the first retries: making it anew costs more than it costs those who make events.
  if (reason != stats::Fallback::changed || slot.penalty >= kPenaltyToClose) mirror.close();
}

// Sets what a wait cost against what the kernel's own scan of `size` descriptors would have. What was spent to have
// descriptors watched does not count: they are by and by, when looking at them has cost as much (tuning.hpp).
template <typename Mirror>
void settle(Slot& slot, Mirror& mirror, const Answer& answer, bool may_sleep, unsigned size, int64_t entries,
            int64_t own_ns) {
  bool by_core = answer.kind == Answer::Kind::done;
  if (!by_core && answer.reason != stats::Fallback::long_sleep) return;
  entries -= mirror.spent_on_watching();
  // A call that may sleep enters itself with every descriptor, and leaves again.
  mirror::Costs cost = mirror::costs();
  auto scan_ns = [&](unsigned count) { return count * cost.entry_ps * (may_sleep ? 2 : 1) / 1000; };
  constexpr int64_t kReady = 5, kWakeUp = 8;
  int64_t native = 0;
  int64_t core = own_ns + size / 4 + entries * cost.core_entry_ns;
  if (by_core) {
    native = cost.poll_ns + scan_ns(size);
    core += scan_ns(mirror.direct()) + (answer.result > 0 ? answer.result * kReady : 0);
  } else {
    core += kWakeUp * cost.core_entry_ns;  // the program's own call comes behind it, and costs what it costs
  }
  if (slot.account(native, core, size)) return;
  slot.punish(stats::Fallback::costly);
  if (slot.penalty >= kPenaltyToClose) mirror.close();
}

// What a wait has come to: an answer, and where it came from.
template <typename Mirror>
struct Waited {
  ThreadRecord* record = nullptr;
  Slot* slot = nullptr;
  Mirror* mirror = nullptr;
  Answer answer = {};
  bool tell = false;  // what the program's own call finds decides whether the next one is tried
};

// The part of a call that belongs to the record: it is entered and left in here. False: the call is not ours.
template <typename Call, typename Mirror>
bool wait_in_record(const Call& call, const wait::Deadline& deadline, const sigset_t* mask, wait::SignalGate& gate,
                    Waited<Mirror>& waited, stats::Fallback& reason) {
  ThreadRecord* record = waited.record;
  uint64_t tick = ++record->tick;
  Slot* slots = call.slots(*record);
  Mirror* mirrors = call.mirrors(*record);
  if (tick % 1024 == 0) close_unused(slots, mirrors, call.kSlots, tick);

  bool evicted;
  Slot* slot = mirror::find_slot(slots, call.kSlots, call.key(), tick, evicted);
  reason = stats::Fallback::first;  // also when there is no slot, or more of the array than before
  if (slot == nullptr) return false;
  Mirror& mirror = mirrors[slot - slots];
  if (evicted) mirror.close();
  // An event that the kernel has reported must not be missed by a mirror that comes after.
  bool lapsed = slot->lapsed;
  slot->lapsed = true;
  bool proven = slot->is_proven(call.extent());
  if (slot->stays_in_kernel(reason) || !proven) {
    waited.tell = mirror::tuning.choose_by_cost && slot->is_tried_next();
    return false;
  }
  // The limit may be another than when the kernel took more: every mirror is new then.
  bool is_new = !call.fits(mirror);
  if (is_new) slot->proven = call.extent();
  if ((is_new || slot->grew) && !call.within_limit()) {
    slot->begin_anew();
    reason = stats::Fallback::argument;
    return false;
  }
  // Only now is the array looked at: the kernel has taken it before.
  if (!call.worthwhile()) {
    reason = stats::Fallback::small;
    slot->punish(reason);
    return false;
  }
  // A mirror is dear to make: none where the kernel has just had to look at nearly everything.
  if (is_new && slot->was_crowded(call.asked())) {
    reason = stats::Fallback::costly;
    slot->punish(reason);
    return false;
  }
  unsigned entries_before = os::kernel_entries;
  if (!prepare(call, mirror, is_new, reason)) {
    step_back(*slot, mirror, reason);
    return false;
  }
  if (lapsed && !is_new) mirror.verify_next();
  slot->lapsed = false;
  waited.slot = slot;
  waited.mirror = &mirror;
  waited.answer = call.wait(mirror, deadline, mask, gate);
  if (is_new) {
    // At first everything is asked directly, which costs more than the kernel's own scan.
    constexpr int64_t kCallsToWatch = 128;
    slot->balance_ns = kCallsToWatch * (call.kOwnNs + call.size(mirror) / 4);
    mirror::measure_costs(record::wake_descriptor());
  } else {
    unsigned entries = os::kernel_entries - entries_before + (gate.is_closed() ? wait::SignalGate::kCalls : 0);
    settle(*slot, mirror, waited.answer, !deadline.is_now(), call.size(mirror), entries, call.kOwnNs);
  }
  return true;
}

// The program's own call, as a cancellation point: nothing is held any more, and the program's mask stands while a
// request is looked at.
template <typename Call>
int own_call(const Call& call, const wait::Deadline& deadline, const sigset_t* mask, wait::SignalGate& gate) {
  unsigned seen = 0;
  for (;;) {
    int result = call.own(deadline, gate.mask(mask), seen);
    if (result != cancel::kCancelled) return result;
    gate.open();
    seen = cancel::settle();
    cancel::check();
  }
}

template <typename Call>
int wait_by_mirror(const Call& call, const wait::Deadline& deadline, const sigset_t* mask) {
  using stats::Fallback;
  if (process::in_vfork_child()) return not_ours(call, Fallback::revoked);
  record::check_generation();
  Fallback reason;
  uint64_t cookie;
  Waited<typename Call::Mirror> waited;
  waited.record = record::enter(reason, cookie);
  if (waited.record == nullptr) return not_ours(call, reason);
  wait::SignalGate gate;
  bool ours = wait_in_record(call, deadline, mask, gate, waited, reason);
  record::leave(waited.record);
  if (!ours) {
    not_ours(call, reason);
    return waited.tell ? kNotOursTell : kNotOurs;
  }

  int result = waited.answer.result;
  if (waited.answer.kind == Answer::Kind::finish) {
    reason = waited.answer.reason;
    stats::add(reason);
    result = own_call(call, deadline, mask, gate);
    bool teaches = reason == Fallback::verify || reason == Fallback::long_sleep || reason == Fallback::mostly_ready;
    if (teaches && result != 0 && result != -EINTR && !record::is_stopped()) {
      // Between the two, anything may have happened to the record: a revoker, a fork, another call in a handler.
      ThreadRecord* again = record::enter(reason, cookie);
      if (again == waited.record && waited.mirror->is_open() && waited.slot->key == call.key())
        call.check(*waited.mirror, result);
      if (again != nullptr) record::leave(again);
    }
  }
  gate.open();
  // A wait that was interrupted has taken nothing.
  if (result == -EINTR) cancel::check();
  return result;
}

}  // namespace kev::call
