// The native queue's ready ring: many producers without a lock, consumers who claim and commit in any order.
//
// Each slot has a turn, which says whose it is; positions only ever grow:
//
//   turn == position             free: the producer that moves `tail_` from there to the next has it
//   turn == position + 1         published: a consumer's, from `head_` on
//   turn == position + capacity  committed: free for the next round
//
// so slots are given back in any order and taken in order, and nothing is overwritten. Producers: any thread, any
// signal handler. Consumers: one at a time (the queue's lock). A producer that is stopped between its two steps lets
// those behind it wait; it has no more than a copy to make. `Atomic` is std::atomic but in the model test.
#pragma once

#include <atomic>
#include <cstdint>

namespace kev::queue {

template <typename T, template <typename> class Atomic = std::atomic>
class EventRing {
 public:
  struct Slot {
    Atomic<uint64_t> turn{0};
    T value{};
  };

  // `slots` holds `capacity` (a power of two, at least 2) and outlives the ring. Not while in use.
  void attach(Slot* slots, uint32_t capacity) {
    slots_ = slots;
    mask_ = capacity - 1;
    for (uint32_t i = 0; i < capacity; ++i) slots_[i].turn.store(i, std::memory_order_relaxed);
    head_.store(0, std::memory_order_relaxed);
    tail_.store(0, std::memory_order_relaxed);
  }

  uint32_t capacity() const { return mask_ + 1; }
  uint32_t place(uint64_t position) const { return static_cast<uint32_t>(position) & mask_; }

  // The count of all events ever produced. Sequentially consistent, as is produce(): whoever says that it sleeps and
  // then finds nothing new here is seen to sleep by the producer that comes next (doorbell.hpp).
  uint64_t tail() const { return tail_.load(std::memory_order_seq_cst); }
  // All before it were claimed. Consumers move it.
  uint64_t head() const { return head_.load(std::memory_order_relaxed); }
  // How many stand from head() on, of which the last may not be published yet.
  uint32_t ready() const { return static_cast<uint32_t>(tail() - head()); }

  // Producer: fill(value, place) writes a free slot, which is published then. False: there is none.
  template <typename Fill>
  bool produce(Fill fill) {
    uint64_t position = tail_.load(std::memory_order_relaxed);
    for (;;) {
      Slot& slot = slots_[place(position)];
      uint64_t turn = slot.turn.load(std::memory_order_acquire);  // partner: commit()
      if (turn == position) {
        if (tail_.compare_exchange_strong(position, position + 1, std::memory_order_seq_cst,
                                          std::memory_order_relaxed)) {
          fill(slot.value, place(position));
          slot.turn.store(position + 1, std::memory_order_release);  // partner: published()
          return true;
        }
      } else if (static_cast<int64_t>(turn - position) < 0) {
        return false;
      } else {
        position = tail_.load(std::memory_order_relaxed);
      }
    }
  }

  // Consumer: the value at `position` if it is published and was not committed, else null.
  T* published(uint64_t position) {
    Slot& slot = slots_[place(position)];
    return slot.turn.load(std::memory_order_acquire) == position + 1 ? &slot.value : nullptr;  // partner: produce()
  }

  // Consumer: all before `position` are claimed. Who has not heard of it yet looks once too often.
  void claim_to(uint64_t position) { head_.store(position, std::memory_order_relaxed); }

  // Consumer: the slot at `position`, claimed, is free for the next round.
  void commit(uint64_t position) {
    slots_[place(position)].turn.store(position + capacity(), std::memory_order_release);  // partner: produce()
  }

 private:
  Slot* slots_ = nullptr;
  uint32_t mask_ = 0;
  alignas(64) Atomic<uint64_t> tail_{0};
  alignas(64) Atomic<uint64_t> head_{0};
};

}  // namespace kev::queue
