// The table of requests in progress; the protocol stands in request.hpp.
#include "cancel/request.hpp"

#include "os/thread.hpp"
#include "process/quiet.hpp"

namespace kev::cancel {

namespace {

constexpr unsigned kSlots = 32;  // more cancellers at once wait for each other
constexpr int kSpins = 50;
constexpr int kYields = 20;
constexpr int kShortPauses = 1000;  // of 50 us and what they cost: a canceller that merely has no processor
constexpr int kLongPauses = 1800;   // of 1 ms

constinit Slot slots[kSlots];
constinit std::atomic<unsigned> in_use{0};

// Nothing but time: under a seccomp filter no system call may be made here.
void pause(int round) {
  if (process::is_quiet())
    for (int i = 0; i < 100; ++i) arch::relax();
  else if (round < kSpins)
    arch::relax();
  else if (round < kSpins + kYields)
    os::yield();
  else
    os::pause_ns(round < kSpins + kYields + kShortPauses ? 50'000 : 1'000'000);
}

uintptr_t this_thread() { return static_cast<uintptr_t>(pthread_self()); }

}  // namespace

constinit int patience = kSpins + kYields + kShortPauses + kLongPauses;

Slot& Slot::claim(pthread_t target) {
  in_use.fetch_add(1, std::memory_order_seq_cst);
  for (int round = 0;; ++round) {
    for (Slot& slot : slots) {
      uintptr_t free = 0;
      if (slot.word_.load(std::memory_order_relaxed) == 0 &&
          slot.word_.compare_exchange_strong(free, static_cast<uintptr_t>(target), std::memory_order_seq_cst))
        return slot;
    }
    pause(round);
  }
}

bool Slot::must_signal(bool waits) {
  uintptr_t word = word_.load(std::memory_order_acquire);
  for (;;) {
    bool signals = (waits || (word & kGivenUp) != 0) && (word & kHeld) == 0;
    if (!word_.compare_exchange_weak(word, signals ? word | kSignalling : 0, std::memory_order_seq_cst)) continue;
    if (!signals) in_use.fetch_sub(1, std::memory_order_seq_cst);
    return signals;
  }
}

void Slot::release() {
  word_.store(0, std::memory_order_seq_cst);
  in_use.fetch_sub(1, std::memory_order_seq_cst);
}

template <typename Visit>
void Slot::for_each_on(uintptr_t me, Visit visit) {
  if (in_use.load(std::memory_order_seq_cst) == 0) return;
  for (Slot& slot : slots)
    if (slot.is_on(me)) visit(slot.word_);
}

void Slot::hold() {
  uintptr_t me = this_thread();
  for_each_on(me, [me](std::atomic<uintptr_t>& slot) {
    uintptr_t word = slot.load(std::memory_order_acquire);
    for (int round = 0; (word & ~kSaid) == me && round < patience; ++round) {
      if ((word & kSignalling) != 0) {
        pause(round);
        word = slot.load(std::memory_order_acquire);
      } else if (slot.compare_exchange_strong(word, word | kHeld, std::memory_order_seq_cst)) {
        return;
      }
    }
  });
}

void Slot::let_go() {
  uintptr_t me = this_thread();
  for_each_on(me, [me](std::atomic<uintptr_t>& slot) {
    uintptr_t word = slot.load(std::memory_order_acquire);
    while ((word & ~kSaid) == me && !slot.compare_exchange_weak(word, word & ~kHeld, std::memory_order_seq_cst)) {
    }
  });
}

bool Slot::signal_will_come() {
  bool found = false;
  for_each_on(this_thread(), [&found](std::atomic<uintptr_t>& slot) {
    found = found || (slot.load(std::memory_order_acquire) & (kGivenUp | kSignalling)) == kGivenUp;
  });
  return found;
}

void Slot::forget_all() {
  for (Slot& slot : slots) slot.word_.store(0, std::memory_order_relaxed);
  in_use.store(0, std::memory_order_relaxed);
}

void Slot::wait_until_done(uintptr_t me) {
  for (int round = 0;; ++round) {
    uintptr_t word = word_.load(std::memory_order_acquire);
    if ((word & ~kSaid) != me) return;
    if ((word & kSignalling) != 0) {
      // Between two system calls of the canceller's; only a copy of it takes longer.
      if (round >= 2 * patience) return;
    } else if (round >= patience || (word & kGivenUp) != 0) {
      bool held = cancel::self().disabled.load(std::memory_order_relaxed);
      if (word_.compare_exchange_strong(word, me | kGivenUp | (held ? kHeld : 0), std::memory_order_seq_cst)) return;
    }
    pause(round);
  }
}

uint32_t settle() {
  Record& self = cancel::self();
  uint32_t requests = self.requests.load(std::memory_order_acquire);
  if (requests == self.settled) return requests;
  // Nothing to wait for: the request's own signal is what brought the thread here.
  if (self.arrived.load(std::memory_order_relaxed) == requests) return self.settled = requests;
  if (in_use.load(std::memory_order_seq_cst) != 0) {
    uintptr_t me = this_thread();
    for (Slot& slot : slots) slot.wait_until_done(me);
  }
  // A signal that was sent arrives as the kernel is left.
  if (!process::is_quiet()) os::enter_kernel();
  return self.settled = requests;
}

}  // namespace kev::cancel
