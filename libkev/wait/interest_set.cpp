// The interest set's table; the contract stands in interest_set.hpp.
#include "wait/interest_set.hpp"

namespace kev::wait {

void InterestSet::attach(Interest* slots, uint32_t count) {
  slots_ = slots;
  count_ = count;
  clear();
}

void InterestSet::clear() {
  for (uint32_t i = 0; i < count_; ++i) slots_[i] = {-1, 0, 0, 0};
  size_ = 0;
}

Interest* InterestSet::find(int fd) const {
  for (uint32_t i = home(fd); slots_[i].fd >= 0; i = after(i))
    if (slots_[i].fd == fd) return &slots_[i];
  return nullptr;
}

Interest* InterestSet::insert(int fd) {
  uint32_t i = home(fd);
  while (slots_[i].fd >= 0) i = after(i);
  slots_[i] = {fd, 0, 0, 0};
  ++size_;
  return &slots_[i];
}

void InterestSet::erase(Interest* interest) {
  // Moves later entries of the probe run into the hole, so that no search stops short of them.
  uint32_t hole = static_cast<uint32_t>(interest - slots_);
  for (uint32_t i = after(hole); slots_[i].fd >= 0; i = after(i)) {
    if (distance(home(slots_[i].fd), i) < distance(hole, i)) continue;
    slots_[hole] = slots_[i];
    hole = i;
  }
  slots_[hole].fd = -1;
  --size_;
}

}  // namespace kev::wait
