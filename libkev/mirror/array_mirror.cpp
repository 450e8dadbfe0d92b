// An array mirror's life and its waits; keeping it in step with the array is array_sync.cpp's.
#include "mirror/array_mirror.hpp"

#include <cerrno>
#include <sys/mman.h>

#include "cancel/stub.hpp"
#include "mirror/tuning.hpp"
#include "os/memory.hpp"
#include "os/poll.hpp"
#include "process/fd_table.hpp"
#include "process/private_fds.hpp"

namespace kev::mirror {

constinit Tuning tuning;

using stats::Fallback;
using wait::Deadline;
using wait::WaitSet;

namespace {

unsigned power_of_two_above(unsigned n) {
  unsigned power = 16;
  while (power < n) power *= 2;
  return power;
}

// Hands out pieces of one mapping, each aligned for its type.
class Carver {
 public:
  explicit Carver(void* block) : at_(static_cast<char*>(block)) {}
  template <typename T>
  T* take(size_t count) {
    at_ += -reinterpret_cast<uintptr_t>(at_) & (alignof(T) - 1);
    T* piece = reinterpret_cast<T*>(at_);
    at_ += count * sizeof(T);
    return piece;
  }

 private:
  char* at_;
};

}  // namespace

int ArrayMirror::open(unsigned count, int wake_fd) {
  unsigned capacity = (count + count / 8 + 31) & ~15u;
  unsigned ring_slots = power_of_two_above(capacity / kReadyShare);
  unsigned interest_slots = wait::InterestSet::slots_for(capacity);
  size_t bytes = capacity * (sizeof(pollfd) + sizeof(uint32_t)) + interest_slots * sizeof(Interest) +
                 ring_slots * (sizeof(WaitSet::Event) + sizeof(epoll_event) + sizeof(pollfd)) + capacity / kBlock + 1 + 128;
  void* block = os::map_private(bytes);
  if (block == nullptr) return -ENOMEM;
  Carver carver(block);
  auto* ring = carver.take<WaitSet::Event>(ring_slots);
  auto* interests = carver.take<Interest>(interest_slots);
  auto* scratch = carver.take<epoll_event>(ring_slots);
  shadow_ = carver.take<pollfd>(capacity);
  next_ = carver.take<uint32_t>(capacity);
  reported_ = carver.take<pollfd>(ring_slots);
  dirty_ = carver.take<uint8_t>(capacity / kBlock + 1);

  engine_.configure(scratch, static_cast<int>(ring_slots), wake_fd, process::private_descriptors);
  int error = engine_.open();
  if (error < 0) {
    os::munmap(block, bytes);
    return error;
  }
  set_.attach(engine_, ring, ring_slots, interests, interest_slots);
  block_ = block;
  block_bytes_ = bytes;
  capacity_ = capacity;
  ring_slots_ = ring_slots;
  count_ = 0;
  skip_ = 0;
  stale_ = false;
  disconnected_ = false;
  verified_ns_ = os::clock_ns(CLOCK_MONOTONIC);
  changes_seen_ = process::held_fd_changes.load(std::memory_order_acquire);
  return 0;
}

void ArrayMirror::close() {
  if (!is_open()) return engine_.close();  // half open, when a fork came in between
  // Closing the set takes its registrations along.
  if (!disconnected_) release_holds();
  engine_.close();
  count_ = 0;
  // Forgotten before it is unmapped: a child forked in between must not unmap it a second time.
  void* block = block_;
  block_ = nullptr;
  os::munmap(block, block_bytes_);
}

void ArrayMirror::release_holds() {
  set_.for_each([](const Interest& interest) { process::release_fd(interest.fd); });
}

void ArrayMirror::disconnect() {
  if (is_open() && !disconnected_) release_holds();
  disconnected_ = true;
  engine_.close();
}

// Whether the last verification is older than the period, or is not to be trusted: setns() into a time namespace has
// put the clock back.
bool ArrayMirror::is_due(int64_t now) const {
  return now - verified_ns_ >= tuning.verify_ns || now < verified_ns_;
}

Answer ArrayMirror::wait(pollfd* fds, unsigned count, const Deadline& deadline, const sigset_t* mask,
                         wait::SignalGate& gate) {
  int found = set_.wait(Deadline::now(), nullptr);
  if (found == 0 && (!deadline.is_now() || mask != nullptr)) {
    if (!deadline.is_now()) {
      // A wait that would be verified after its sleep sleeps in the program's own call at once.
      int64_t now = os::clock_ns(CLOCK_MONOTONIC);
      if (is_due(now)) {
        verified_ns_ = now;
        return finish(Fallback::verify);
      }
      gate.close();
    }
    // poll() writes every revents also when a handler interrupts it, and before that handler runs: what the handler
    // writes stays.
    clear(fds, count);
    found = set_.wait(deadline.at_most(tuning.verify_ns), gate.mask(mask));
  }
  if (found == 0) return nothing(fds, count, deadline);
  if (found == -EINTR) return {Answer::Kind::done, -EINTR, {}};
  // The thread is to be cancelled, which must not happen in here; the program's own call is where it does.
  if (found == cancel::kCancelled) return finish(Fallback::cancelled);
  if (found < 0) {
    stale_ = true;  // the private set is gone: a raw close took it
    return finish(Fallback::revoked);
  }
  if (static_cast<unsigned>(found) > count / kReadyShare + 1 || static_cast<unsigned>(found) == ring_slots_) {
    set_.discard();
    skip_ = kReadySkip;
    return finish(Fallback::mostly_ready);
  }
  // Events elsewhere must not hide for ever what a stale registration does not report.
  int64_t now = os::clock_ns(CLOCK_MONOTONIC);
  if (is_due(now)) {
    set_.discard();
    verified_ns_ = now;
    return finish(Fallback::verify);
  }
  int reported = gather();
  if (reported < 0) return finish(Fallback::revoked);
  // With the program's own mask, which may not be readable.
  int confirmed = os::poll_now(reported_, static_cast<nfds_t>(reported), mask);
  if (confirmed == -EFAULT) return finish(Fallback::argument);
  int ready = confirmed > 0 ? scatter(fds, count, reported) : 0;
  if (ready > 0) return {Answer::Kind::done, ready, {}};
  stale_ = true;
  return finish(Fallback::unconfirmed);
}

// The engine has nothing, and either the deadline or the verification period has passed.
Answer ArrayMirror::nothing(pollfd* fds, unsigned count, const Deadline& deadline) {
  int64_t now = os::clock_ns(CLOCK_MONOTONIC);
  bool passed = deadline.passed();
  if (passed && !is_due(now)) {
    clear(fds, count);
    return {Answer::Kind::done, 0, {}};
  }
  verified_ns_ = now;
  return finish(passed ? Fallback::verify : Fallback::long_sleep);
}

void ArrayMirror::check_found_by_kernel(const pollfd* fds, unsigned count) {
  verified_ns_ = os::clock_ns(CLOCK_MONOTONIC);
  constexpr uint32_t kReported = 1u << 31;
  if (count != count_ || set_.wait(Deadline::now(), nullptr) == static_cast<int>(ring_slots_)) {
    set_.discard();
    return;
  }
  for (auto run = set_.claim(ring_slots_); run.count > 0; run = set_.claim(ring_slots_)) {
    for (uint32_t i = 0; i < run.count; ++i)
      if (Interest* interest = set_.find(WaitSet::descriptor_of(run.data[i].token))) interest->events |= kReported;
    set_.commit();
  }
  for (unsigned i = 0; i < count; ++i) {
    if (fds[i].revents == 0) continue;
    const Interest* interest = set_.find(fds[i].fd);
    if (interest == nullptr || (interest->events & kReported) == 0) stale_ = true;
  }
  set_.for_each([](Interest& interest) { interest.events &= ~kReported; });
}

// Takes the events out of the ring into reported_. -1: nothing but a wake-up.
int ArrayMirror::gather() {
  int reported = 0;
  for (;;) {
    auto run = set_.claim(ring_slots_);
    if (run.count == 0) break;
    for (uint32_t i = 0; i < run.count; ++i) {
      const WaitSet::Event& event = run.data[i];
      if (event.token == engine::kWakeToken) continue;
      const Interest* interest = set_.find(WaitSet::descriptor_of(event.token));
      // An event of a file that had this number before: what it left in the set cannot be removed.
      if (interest == nullptr || WaitSet::token_of(*interest) != event.token) {
        stale_ = true;
        continue;
      }
      // Asked of the kernel in the program's own words, with whatever bits it set.
      short events = 0;
      for (uint32_t at = interest->first; at != 0; at = next_[at - 1])
        events = static_cast<short>(events | shadow_[at - 1].events);
      reported_[reported++] = {interest->fd, events, 0};
    }
    set_.commit();
  }
  return reported > 0 ? reported : -1;
}

// Writes the confirmed results into the program's array. Returns how many entries are ready.
int ArrayMirror::scatter(pollfd* fds, unsigned count, int reported) {
  clear(fds, count);
  int ready = 0;
  for (int i = 0; i < reported; ++i) {
    if (reported_[i].revents == 0) continue;
    const Interest* interest = set_.find(reported_[i].fd);
    for (uint32_t at = interest->first; at != 0; at = next_[at - 1]) {
      pollfd& entry = fds[at - 1];
      int always = POLLERR | POLLHUP | POLLNVAL;
      entry.revents = static_cast<short>(reported_[i].revents & (entry.events | always));
      if (entry.revents != 0) ++ready;
    }
  }
  return ready;
}

}  // namespace kev::mirror
