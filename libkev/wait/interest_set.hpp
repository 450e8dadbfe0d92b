// What a wait set knows: descriptor -> what its owner keeps for it.
//
// A hash table with linear probing in memory that the caller provides; no allocation. One thread at a time.
#pragma once

#include <cstdint>

namespace kev::wait {

struct Interest {
  int fd;               // -1: free
  uint32_t generation;  // of the descriptor number when it was registered
  uint32_t place;       // free for the owner of the set
  uint32_t first;       // likewise
};

class InterestSet {
 public:
  // The slots that hold `interests` at a load (three quarters) that keeps probing short.
  static constexpr uint32_t slots_for(uint32_t interests) { return interests + interests / 3 + 4; }

  void attach(Interest* slots, uint32_t count);
  void clear();

  uint32_t size() const { return size_; }

  // Null if `fd` is not there. Pointers are good until the next insert or erase.
  Interest* find(int fd) const;

  // Precondition: `fd` >= 0 is not there, and the set holds fewer than attach() made room for.
  Interest* insert(int fd);
  void erase(Interest* interest);

  // Calls `last` for every interest for which `gone` holds, and erases it.
  template <typename Gone, typename Last>
  void erase_if(Gone gone, Last last) {
    for (uint32_t i = 0; i < count_; ++i)
      while (slots_[i].fd >= 0 && gone(slots_[i])) {
        last(slots_[i]);
        erase(&slots_[i]);  // moves a later one here, or an earlier one to the end: each is still looked at
      }
  }

  // Calls `visit` for every interest, in no order; it must not insert or erase.
  template <typename Visit>
  void for_each(Visit visit) {
    for (uint32_t i = 0; i < count_; ++i)
      if (slots_[i].fd >= 0) visit(slots_[i]);
  }

 private:
  // Spreads runs of numbers, which is what descriptors are.
  uint32_t home(int fd) const {
    return static_cast<uint32_t>(uint64_t{static_cast<uint32_t>(fd) * 0x9e3779b1u} * count_ >> 32);
  }
  uint32_t after(uint32_t i) const { return i + 1 == count_ ? 0 : i + 1; }
  uint32_t distance(uint32_t from, uint32_t to) const { return to >= from ? to - from : to + count_ - from; }

  Interest* slots_ = nullptr;
  uint32_t count_ = 0;
  uint32_t size_ = 0;
};

}  // namespace kev::wait
