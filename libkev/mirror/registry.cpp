// The list of all thread records, and what is done to all of them at once. States: thread_record.hpp.
#include "mirror/registry.hpp"

#include <cerrno>
#include <csignal>
#include <new>
#include <sys/eventfd.h>

#include "mirror/thread_record.hpp"
#include "os/clock.hpp"
#include "os/memory.hpp"
#include "os/thread.hpp"
#include "process/fd_table.hpp"
#include "process/generation.hpp"
#include "process/private_fds.hpp"
#include "process/vfork.hpp"

namespace kev::mirror {

using stats::Fallback;

constinit ThreadExit at_thread_exit = nullptr;

namespace {

constexpr unsigned kMaxAbandoned = 8;  // then the thread stays with the kernel
constexpr int kRevokeTries = 100;
constexpr long kRevokePauseNs = 200'000;
constexpr int64_t kPauseNs = 1'000'000'000;

constinit std::atomic<ThreadRecord*> records{nullptr};
constinit std::atomic<bool> started{false};
constinit std::atomic<bool> stopped{false};
constinit std::atomic<int> wake_fd{-1};
constinit std::atomic<int64_t> paused_until_ns{0};
constinit thread_local ThreadRecord* mine = nullptr;

void discard_wake_descriptor() {
  int fd = wake_fd.exchange(-1);
  if (fd >= 0) process::discard_private(fd);
}

void release(ThreadRecord* record) {
  record->close_all();
  for (auto& slot : record->poll_slot) slot = {};
  for (auto& slot : record->select_slot) slot = {};
  record->revoke.store(false, std::memory_order_relaxed);
  record->is_abandoned.store(false, std::memory_order_relaxed);
  record->abandoned = nullptr;
  record->abandoned_count = 0;
  record->state.store(ThreadRecord::kFree, std::memory_order_release);
}

// The thread ends: nothing of it can be in the core any more, whatever the state says.
void on_thread_exit(void* argument) {
  auto* record = static_cast<ThreadRecord*>(argument);
  if (mine == nullptr || process::is_forked_child()) return;
  for (record = mine, mine = nullptr; record != nullptr;) {
    ThreadRecord* older = record->abandoned;
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

bool try_revoke(ThreadRecord* record) {
  for (int tries = 0; tries < kRevokeTries; ++tries) {
    uintptr_t state = ThreadRecord::kIdle;
    if (record->state.compare_exchange_strong(state, ThreadRecord::kRevoking, std::memory_order_acquire)) {
      record->close_all();
      record->state.store(ThreadRecord::kIdle, std::memory_order_release);
      return true;
    }
    if (state == ThreadRecord::kFree || record->is_abandoned.load(std::memory_order_acquire)) return true;
    if (state == ThreadRecord::kRevoking) {
      os::pause_ns(kRevokePauseNs);
      continue;
    }
    record->revoke.store(true, std::memory_order_release);
    if (record == mine) return false;  // a handler that interrupted the core: given up as the core is left
    record->for_each_mirror([](auto& mirror) {
      if (mirror.is_open()) mirror.wake();
    });
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

ThreadRecord* enter(Fallback& reason) {
  uintptr_t sp = arch::stack_pointer();
  if (mine == nullptr) {
    ThreadRecord* fresh = acquire();
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
  if (record->state.compare_exchange_strong(state, sp, std::memory_order_acquire)) return record;
  reason = state == ThreadRecord::kRevoking ? Fallback::revoked : Fallback::nested;
  if (state == ThreadRecord::kRevoking || sp < state || on_alternate_stack()) return nullptr;
  if (record->abandoned_count >= kMaxAbandoned) return nullptr;
  ThreadRecord* fresh = acquire();
  if (fresh == nullptr) return nullptr;
  // Its descriptors need not wait for the thread's end. Should the frame come back after all, it finds them gone, or
  // one of ours in their place, of which it takes nothing.
  record->for_each_mirror([](auto& mirror) { mirror.disconnect(/*close=*/true); });
  record->is_abandoned.store(true, std::memory_order_release);
  fresh->abandoned = record;
  fresh->abandoned_count = record->abandoned_count + 1;
  mine = fresh;
  return nullptr;
}

void leave(ThreadRecord* record) {
  if (record->revoke.exchange(false, std::memory_order_acquire)) record->close_all();
  record->state.store(ThreadRecord::kIdle, std::memory_order_release);
}

bool start() {
  if (started.load(std::memory_order_acquire)) return true;
  if (!process::map_fd_table() || !process::mark_generation()) return false;
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
  stopped.store(true, std::memory_order_seq_cst);
  revoke_all();
}

bool is_stopped() { return stopped.load(std::memory_order_acquire); }

void after_fork(bool just_forked) {
  if (!is_started() || !process::is_forked_child()) return;
  for (ThreadRecord* r = records.load(std::memory_order_acquire); r != nullptr; r = r->next) {
    // fork() from a handler that interrupted the core: the interrupted frame still uses this record.
    bool in_use = r == mine && r->state.load(std::memory_order_relaxed) > ThreadRecord::kFree;
    r->for_each_mirror([&](auto& mirror) {
      if (in_use)
        mirror.disconnect(just_forked);
      else if (just_forked)
        mirror.close();
      else
        mirror.abandon();
    });
    if (!in_use) release(r);
  }
  mine = nullptr;
  int fd = wake_fd.exchange(-1);
  if (fd >= 0 && just_forked) process::discard_private(fd);
  process::forget_private();
  process::clear_fd_table();
  process::mark_generation_again();
}

void check_generation() {
  if (process::is_forked_child()) after_fork(/*just_forked=*/false);
}

int wake_descriptor() {
  int fd = wake_fd.load(std::memory_order_acquire);
  if (fd >= 0) return fd;
  fd = os::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) return -1;
  fd = process::adopt_private(fd);
  if (fd < 0) return -1;
  int expected = -1;
  if (wake_fd.compare_exchange_strong(expected, fd)) return fd;
  process::discard_private(fd);
  return expected;
}

}  // namespace kev::mirror
