// The list of all thread records, and what is done to all of them at once. States: thread_record.hpp.
#include "record/registry.hpp"

#include <cerrno>
#include <csignal>
#include <new>
#include <sys/eventfd.h>

#include "record/thread_record.hpp"
#include "mirror/watch_limit.hpp"
#include "os/clock.hpp"
#include "os/memory.hpp"
#include "os/thread.hpp"
#include "process/fd_table.hpp"
#include "process/generation.hpp"
#include "process/private_fds.hpp"
#include "process/vfork.hpp"
#include "wait/signal_gate.hpp"
#include "wait/sleeper.hpp"

namespace kev::record {

using stats::Fallback;

constinit ThreadExit at_thread_exit = nullptr;

namespace {

constexpr unsigned kMaxAbandoned = 8;  // then the thread stays with the kernel
constexpr int kRevokeTries = 100;
constexpr int kSleepersTries = 10;  // one that has a processor is up and has left by then
constexpr long kRevokePauseNs = 200'000;
constexpr uintptr_t kEnding = ~wait::kActivity;  // busy, and not left before it is free
constexpr int64_t kPauseNs = 1'000'000'000;

constinit std::atomic<ThreadRecord*> records{nullptr};
constinit std::atomic<bool> started{false};
constinit std::atomic<bool> stopped{false};
constinit std::atomic<int> wake_fd{-1};
constinit std::atomic<int64_t> paused_until_ns{0};
constinit thread_local ThreadRecord* mine = nullptr;
// Nothing is called at the end of a thread any more: what it polls from here on, in destructors of its own, would hold
// a record for ever.
constinit thread_local bool is_ending = false;

// A handler that leaves by siglongjmp must not come between forgetting the descriptor and closing it.
void discard_wake_descriptor() {
  if (wake_fd.load(std::memory_order_relaxed) < 0) return;
  wait::SignalGate gate;
  gate.close();
  int fd = wake_fd.exchange(-1);
  if (fd >= 0) process::discard_private(fd);
  gate.open();
}

void release(ThreadRecord* record) {
  record->close_all();
  for (auto& slot : record->poll_slot) slot = {};
  for (auto& slot : record->select_slot) slot = {};
  record->revoke.store(false, std::memory_order_relaxed);
  record->abandoned = nullptr;
  record->abandoned_count = 0;
  record->state.store(ThreadRecord::kFree, std::memory_order_release);
}

bool is_being_taken(uintptr_t state) { return state > ThreadRecord::kFree && wait::activity(state) == wait::kTaking; }
bool is_taken(uintptr_t state) { return state > ThreadRecord::kFree && wait::activity(state) == wait::kTaken; }

void wake_all(ThreadRecord* record) {
  record->for_each_mirror([](auto& mirror) {
    if (mirror.is_open()) mirror.wake();
  });
}

// Takes the descriptors of a busy record whose frame sleeps or is gone; the rest is the frame's, should it come back.
// False: `state` is no longer the record's. Signals are blocked: a jump must not leave the record half taken.
bool take(ThreadRecord* record, uintptr_t state) {
  uintptr_t taking = wait::with_activity(state, wait::kTaking);
  if (!record->state.compare_exchange_strong(state, taking, std::memory_order_acquire)) return false;
  // The sleeper is woken first: who sleeps on, sleeps at what has the number next, until the verification period ends.
  wake_all(record);
  record->for_each_mirror([](auto& mirror) { mirror.disconnect(); });
  record->revoke.store(true, std::memory_order_relaxed);
  record->state.store(wait::with_activity(taking, wait::kTaken), std::memory_order_release);
  return true;
}

// Makes the record the caller's, once no revoker is at it.
void take_over(ThreadRecord* record) {
  uintptr_t state = record->state.load(std::memory_order_acquire);
  for (;;) {
    if (state == ThreadRecord::kRevoking || is_being_taken(state)) {
      os::pause_ns(kRevokePauseNs / 4);
      state = record->state.load(std::memory_order_acquire);
    } else if (record->state.compare_exchange_weak(state, kEnding, std::memory_order_acquire)) {
      return;
    }
  }
}

// Under a filter: no system call may be made for them any more.
void forget_rings(ThreadRecord* record) {
  record->for_each_ring([](bell::Ring& ring) { ring.forget(/*in_use=*/true); });
}

// Whether the record is, or was until a jump, the calling thread's.
bool is_mine(const ThreadRecord* record) {
  for (const ThreadRecord* r = mine; r != nullptr; r = r->abandoned)
    if (r == record) return true;
  return false;
}

// The calling thread's bells let go of its sets, as long as they can. Other threads' do not.
void drop_bells() {
  Fallback reason;
  uint64_t cookie;
  ThreadRecord* record = mine == nullptr ? nullptr : enter(reason, cookie);
  if (record == nullptr) return;
  record->program_sets.drop_all();
  leave(record);
}

// The thread ends: nothing of it can be in the core any more, whatever the state says.
void on_thread_exit(void* argument) {
  (void)argument;
  if (mine == nullptr || process::is_forked_child()) return;
  is_ending = true;
  ThreadRecord* record = mine;
  for (mine = nullptr; record != nullptr;) {
    ThreadRecord* older = record->abandoned;
    take_over(record);
    if (is_stopped()) {
      forget_rings(record);
    } else {
      record->program_sets.drop_all();
      record->for_each_ring([](bell::Ring& ring) { ring.close(); });
    }
    release(record);
    record = older;
  }
}

ThreadRecord* acquire() {
  for (ThreadRecord* r = records.load(std::memory_order_acquire); r != nullptr; r = r->next) {
    uintptr_t expected = ThreadRecord::kFree;
    if (r->state.compare_exchange_strong(expected, ThreadRecord::kIdle, std::memory_order_acquire)) return r;
  }
  void* memory = os::map_private(sizeof(ThreadRecord));
  if (memory == nullptr) return nullptr;
  auto* record = new (memory) ThreadRecord;
  record->state.store(ThreadRecord::kIdle, std::memory_order_relaxed);
  record->next = records.load(std::memory_order_relaxed);
  while (!records.compare_exchange_weak(record->next, record, std::memory_order_release, std::memory_order_relaxed)) {
  }
  return record;
}

bool on_alternate_stack() {
  stack_t stack;
  return os::sigaltstack(&stack) == 0 && (stack.ss_flags & SS_ONSTACK) != 0;
}

// What a busy frame writes into itself: unlikely to stand there by chance, and different for each place.
uint64_t cookie_of(const ThreadRecord* record, const uint64_t* place) {
  return (reinterpret_cast<uint64_t>(record) * 0x9e3779b97f4a7c15u) ^ reinterpret_cast<uint64_t>(place);
}

// Whether the frame that holds the record of the calling thread in `state` is gone, seen from one at `sp`. A live frame
// is never overwritten; one that was left may stand untouched for a while, and is taken for live as long.
bool is_left(const ThreadRecord* record, uintptr_t state, uintptr_t sp) {
  uintptr_t busy = wait::with_activity(state, wait::kAwake);
  if (sp >= busy) return !on_alternate_stack();
  const uint64_t* cookie = record->cookie;
  // A handler that runs between the two steps of enter() finds none, or that of an earlier frame.
  if (cookie == nullptr || reinterpret_cast<uintptr_t>(cookie) < busy) return false;
  return os::is_readable(cookie) && *cookie != cookie_of(record, cookie);
}

// Whether what the record holds can be taken from its owner.
bool is_to_be_taken(const ThreadRecord* record, uintptr_t state, int tries) {
  if (state <= ThreadRecord::kFree) return false;
  if (wait::activity(state) == wait::kAsleep) return record == mine || tries >= kSleepersTries;
  return wait::activity(state) == wait::kAwake && record == mine && is_left(record, state, arch::stack_pointer());
}

bool try_revoke(ThreadRecord* record) {
  for (int tries = 0; tries < kRevokeTries; ++tries) {
    uintptr_t state = ThreadRecord::kIdle;
    // A handler that leaves by siglongjmp must not leave the record revoking: its owner's end would wait for ever.
    wait::SignalGate gate;
    gate.close();
    bool taken = record->state.compare_exchange_strong(state, ThreadRecord::kRevoking, std::memory_order_acquire);
    if (taken) {
      record->close_all();
      record->state.store(ThreadRecord::kIdle, std::memory_order_release);
    } else if (is_to_be_taken(record, state, tries)) {
      taken = take(record, state);
    }
    gate.open();
    if (taken) return true;
    if (state == ThreadRecord::kFree || is_taken(state)) return true;
    if (state == ThreadRecord::kRevoking || is_being_taken(state)) {
      os::pause_ns(kRevokePauseNs);
      continue;
    }
    record->revoke.store(true, std::memory_order_release);
    if (record == mine) return false;  // a handler that interrupted the core: given up as the core is left
    wake_all(record);
    os::pause_ns(kRevokePauseNs);
  }
  return false;
}

}  // namespace

void ThreadRecord::close_all() {
  for_each_mirror([](auto& mirror) { mirror.close(); });
  for (auto& slot : poll_slot) slot.seen = 0;
  for (auto& slot : select_slot) slot.seen = 0;
}

ThreadRecord* enter(Fallback& reason, uint64_t& cookie) {
  uintptr_t sp = wait::with_activity(arch::stack_pointer(), wait::kAwake);
  if (mine == nullptr) {
    ThreadRecord* fresh = is_ending ? nullptr : acquire();
    if (fresh == nullptr) {
      reason = Fallback::resources;
      return nullptr;
    }
    // A handler that came in between has set up a record of its own: keep that one.
    if (mine == nullptr) {
      mine = fresh;
      if (at_thread_exit != nullptr) at_thread_exit(on_thread_exit, fresh);
    } else {
      fresh->state.store(ThreadRecord::kFree, std::memory_order_release);
    }
  }
  ThreadRecord* record = mine;
  uintptr_t state = ThreadRecord::kIdle;
  cookie = cookie_of(record, &cookie);
  if (record->state.compare_exchange_strong(state, sp, std::memory_order_acquire)) {
    record->cookie = &cookie;
    return record;
  }
  bool revoked = state == ThreadRecord::kRevoking || is_being_taken(state);
  reason = revoked ? Fallback::revoked : Fallback::nested;
  if (revoked || !is_left(record, state, sp)) return nullptr;
  if (record->abandoned_count >= kMaxAbandoned) return nullptr;
  ThreadRecord* fresh = acquire();
  if (fresh == nullptr) return nullptr;
  // Its descriptors need not wait for the thread's end. Should the frame come back after all, it finds them gone, or
  // one of ours in their place, of which it takes nothing.
  if (!is_taken(state)) {
    wait::SignalGate gate;
    gate.close();
    bool taken = take(record, state);
    gate.open();
    if (!taken) {  // a revoker, or a handler that came in between, has done so
      fresh->state.store(ThreadRecord::kFree, std::memory_order_release);
      return nullptr;
    }
  }
  fresh->abandoned = record;
  fresh->abandoned_count = record->abandoned_count + 1;
  mine = fresh;
  return nullptr;
}

void leave(ThreadRecord* record) {
  if (record->revoke.exchange(false, std::memory_order_acquire)) {
    if (is_stopped()) forget_rings(record);
    record->close_all();
  }
  record->cookie = nullptr;
  record->state.store(ThreadRecord::kIdle, std::memory_order_release);
}

bool start() {
  if (started.load(std::memory_order_acquire)) return true;
  if (!process::mark_generation()) return false;
  started.store(true, std::memory_order_release);
  return true;
}

bool is_started() { return started.load(std::memory_order_acquire); }

void revoke_all() {
  if (!is_started() || process::in_vfork_child()) return;
  bool all = true;
  for (ThreadRecord* r = records.load(std::memory_order_acquire); r != nullptr; r = r->next)
    all = try_revoke(r) && all;
  // A mirror that is still in use wakes by this descriptor.
  if (all) discard_wake_descriptor();
}

void revoke_for_a_while() {
  if (!is_started() || process::in_vfork_child()) return;
  paused_until_ns.store(os::clock_ns(CLOCK_MONOTONIC) + kPauseNs, std::memory_order_relaxed);
  revoke_all();
}

bool is_paused() {
  return paused_until_ns.load(std::memory_order_relaxed) > os::clock_ns(CLOCK_MONOTONIC);
}

void stop() {
  if (process::in_vfork_child()) return;
  drop_bells();
  stopped.store(true, std::memory_order_seq_cst);
  revoke_all();
}

bool is_stopped() { return stopped.load(std::memory_order_acquire); }

void after_fork() {
  if (!is_started() || !process::is_forked_child()) return;
  // Nothing was left to inherit when the filter went in, and no system call may be made now.
  if (is_stopped()) return process::mark_generation_again();
  for (ThreadRecord* r = records.load(std::memory_order_acquire); r != nullptr; r = r->next) {
    // fork() from a handler that interrupted the core: the interrupted frame still uses this record.
    uintptr_t state = r->state.load(std::memory_order_relaxed);
    bool in_use = r == mine && state > ThreadRecord::kFree;
    // A frame of this thread may look at them, which a handler that forked has interrupted.
    r->for_each_ring([&](bell::Ring& ring) { ring.forget(/*in_use=*/is_mine(r)); });
    r->program_sets.forget();
    r->for_each_mirror([&](auto& mirror) {
      if (in_use)
        mirror.disconnect();
      else
        mirror.close();
    });
    if (!in_use) release(r);
    // What another thread of the parent's had begun is done.
    if (in_use && is_being_taken(state))
      r->state.store(wait::with_activity(state, wait::kTaken), std::memory_order_relaxed);
  }
  mine = nullptr;
  is_ending = false;
  discard_wake_descriptor();
  process::forget_private();
  process::clear_fd_table();
  mirror::forget_watches();
  process::mark_generation_again();
}

void check_generation() {
  if (process::is_forked_child()) after_fork();
}

int wake_descriptor() {
  int fd = wake_fd.load(std::memory_order_acquire);
  if (fd >= 0) return fd;
  wait::SignalGate gate;
  gate.close();
  fd = os::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd >= 0) fd = process::adopt_private(fd);
  int expected = -1;
  if (fd >= 0 && !wake_fd.compare_exchange_strong(expected, fd)) {
    process::discard_private(fd);
    fd = expected;
  }
  gate.open();
  return fd >= 0 ? fd : -1;
}

}  // namespace kev::record
