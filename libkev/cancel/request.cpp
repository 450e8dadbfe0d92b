// The table of requests in progress; the protocol stands in request.hpp.
#include "cancel/request.hpp"

#include "os/thread.hpp"
#include "process/quiet.hpp"

namespace kev::cancel {

namespace {

constexpr unsigned kSlots = 32;  // more cancellers at once wait for each other
constexpr int kSpins = 50;
constexpr int kYields = 20;
constexpr int kPauses = 2000;
constexpr long kPauseNs = 50'000;  // with the pauses' own cost, a target gives up after 0.1 to 0.3 s

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
    os::pause_ns(kPauseNs);
}

}  // namespace

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

bool Slot::release() {
  bool given_up = (word_.exchange(0, std::memory_order_seq_cst) & kGivenUp) != 0;
  in_use.fetch_sub(1, std::memory_order_seq_cst);
  return given_up;
}

void Slot::forget_all() {
  for (Slot& slot : slots) slot.word_.store(0, std::memory_order_relaxed);
  in_use.store(0, std::memory_order_relaxed);
}

void Slot::wait_until_done(uintptr_t me) {
  for (int round = 0; word_.load(std::memory_order_acquire) == me; ++round) {
    uintptr_t expected = me;
    if (round >= kSpins + kYields + kPauses &&
        (cancel::self().disabled.load(std::memory_order_relaxed) ||
         word_.compare_exchange_strong(expected, me | kGivenUp)))
      return;
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
    uintptr_t me = static_cast<uintptr_t>(pthread_self());
    for (Slot& slot : slots) slot.wait_until_done(me);
  }
  // A signal that was sent arrives as the kernel is left.
  if (!process::is_quiet()) os::enter_kernel();
  return self.settled = requests;
}

}  // namespace kev::cancel
