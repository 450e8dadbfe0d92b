// The interest set's table; the contract stands in interest_set.hpp.
#include "wait/interest_set.hpp"

namespace kev::wait {

void InterestSet::attach(Interest* slots, uint32_t count) {
  slots_ = slots;
  mask_ = count - 1;
  clear();
}

void InterestSet::clear() {
  for (uint32_t i = 0; i <= mask_; ++i) slots_[i] = {-1, 0, 0, 0};
  size_ = 0;
}

Interest* InterestSet::find(int fd) {
  for (uint32_t i = home(fd); slots_[i].fd >= 0; i = (i + 1) & mask_)
    if (slots_[i].fd == fd) return &slots_[i];
  return nullptr;
}

Interest* InterestSet::insert(int fd) {
  uint32_t i = home(fd);
  while (slots_[i].fd >= 0) i = (i + 1) & mask_;
  slots_[i] = {fd, 0, 0, 0};
  ++size_;
  return &slots_[i];
}

void InterestSet::erase(Interest* interest) {
  // Moves later entries of the probe run into the hole, so that no search stops short of them.
  uint32_t hole = static_cast<uint32_t>(interest - slots_);
  for (uint32_t i = (hole + 1) & mask_; slots_[i].fd >= 0; i = (i + 1) & mask_) {
    uint32_t distance = (i - home(slots_[i].fd)) & mask_;
    if (distance < ((i - hole) & mask_)) continue;
    slots_[hole] = slots_[i];
    hole = i;
  }
  slots_[hole].fd = -1;
  --size_;
}

}  // namespace kev::wait
