// The ready ring: where events land, and from where they are taken.
//
// Rules, from kevent: it is never overwritten (what does not fit stays with its producer); taking is claim, then
// commit, and nothing that stands between the two can be cancelled; a waiter sleeps only if the ring is empty for
// the index that it looked at. One producer and one consumer at a time, on any threads; a second consumer finds
// nothing while a claim stands. Three counts only ever grow (modulo 2^32):
//
//   committed_ <= claimed_ <= published_ <= committed_ + capacity
//
// Slots [committed_, claimed_) belong to the claimer, [claimed_, published_) are ready, the rest is the producer's.
// All memory orders of the core's event path stand in this file. `Atomic` is std::atomic but in the model test,
// which runs every interleaving.
#pragma once

#include <atomic>
#include <cstdint>

namespace kev::wait {

template <typename T>
struct Run {  // a contiguous run of slots
  T* data;
  uint32_t count;
};

template <typename T, template <typename> class Atomic = std::atomic>
class ReadyRing {
 public:
  // `slots` holds `capacity` (a power of two, at most 2^31) elements and outlives the ring. Not while in use.
  void attach(T* slots, uint32_t capacity) {
    slots_ = slots;
    mask_ = capacity - 1;
    published_.store(0, std::memory_order_relaxed);
    claimed_.store(0, std::memory_order_relaxed);
    committed_.store(0, std::memory_order_relaxed);
  }

  // Starts over at the first slot, so that reserve() gives all of them in one run. Precondition: nothing is ready or
  // claimed, and no other thread uses the ring.
  void rewind() { attach(slots_, capacity()); }

  uint32_t capacity() const { return mask_ + 1; }

  // The count of all events ever published: what a waiter looks at before it sleeps.
  uint32_t index() const {
    return published_.load(std::memory_order_acquire);  // partner: publish()
  }

  // How many events stand to be claimed.
  uint32_t ready() const { return index() - claimed_.load(std::memory_order_relaxed); }

  // Whether nothing is left to claim for one who has seen `index`.
  bool empty_for(uint32_t index) const {
    return claimed_.load(std::memory_order_relaxed) == index && this->index() == index;
  }

  // Producer: the longest contiguous run of free slots; filled, then published. Count 0: full.
  Run<T> reserve() {
    uint32_t published = published_.load(std::memory_order_relaxed);  // only the producer writes it
    uint32_t committed = committed_.load(std::memory_order_acquire);  // partner: commit(); the slots' readers are done
    uint32_t room = capacity() - (published - committed);
    uint32_t to_edge = capacity() - (published & mask_);
    return {slots_ + (published & mask_), room < to_edge ? room : to_edge};
  }

  // Producer: hands over the first `count` slots of the run that reserve() gave.
  void publish(uint32_t count) {
    uint32_t published = published_.load(std::memory_order_relaxed);  // only the producer writes it
    published_.store(published + count, std::memory_order_release);   // partners: claim(), index()
  }

  // Consumer: takes up to `max` events as one contiguous run. Count 0: nothing is ready, or another holds a claim.
  Run<const T> claim(uint32_t max) {
    uint32_t claimed = claimed_.load(std::memory_order_acquire);  // partner: the exchange below, in another consumer
    if (committed_.load(std::memory_order_acquire) != claimed) return {nullptr, 0};  // partner: commit()
    uint32_t ready = published_.load(std::memory_order_acquire) - claimed;           // partner: publish()
    uint32_t to_edge = capacity() - (claimed & mask_);
    uint32_t count = ready < max ? ready : max;
    if (count > to_edge) count = to_edge;
    if (count == 0) return {nullptr, 0};
    // A consumer that was faster has moved claimed_: then this one has taken nothing.
    if (!claimed_.compare_exchange_strong(claimed, claimed + count, std::memory_order_acq_rel,
                                          std::memory_order_relaxed))
      return {nullptr, 0};
    return {slots_ + (claimed & mask_), count};
  }

  // Consumer: gives the claimed slots back to the producer.
  void commit() {
    uint32_t claimed = claimed_.load(std::memory_order_relaxed);  // only the claimer changes it while a claim stands
    committed_.store(claimed, std::memory_order_release);         // partners: reserve(), claim()
  }

  // Consumer: gives the claimed events back to the ring, in order, for the next claim. Another that sleeps because all
  // was claimed is not woken: this one must claim again before it sleeps or leaves (docs/models/ring.pml).
  void unclaim() {
    uint32_t committed = committed_.load(std::memory_order_relaxed);  // only the claimer changes it
    claimed_.store(committed, std::memory_order_release);             // partner: claim()
  }

 private:
  T* slots_ = nullptr;
  uint32_t mask_ = 0;
  alignas(64) Atomic<uint32_t> published_{0};
  alignas(64) Atomic<uint32_t> claimed_{0};
  Atomic<uint32_t> committed_{0};
};

}  // namespace kev::wait
