// The wheel's arithmetic; the contract stands in timer_wheel.hpp.
#include "queue/timer_wheel.hpp"

namespace kev::queue {

void TimerWheel::insert(TimerNode& node) {
  uint64_t at = tick(node.due);
  if (at < now_) at = now_;
  uint64_t differs = at ^ now_;
  unsigned level = differs == 0 ? 0 : (63 - static_cast<unsigned>(__builtin_clzll(differs))) / kBits;
  unsigned slot = static_cast<unsigned>(at >> (level * kBits)) & (kSlots - 1);
  node.level = static_cast<uint8_t>(level);
  node.slot = static_cast<uint8_t>(slot);
  TimerNode*& first = slots_[level][slot].first;
  node.previous = nullptr;
  node.next = first;
  if (first != nullptr) first->previous = &node;
  first = &node;
  occupied_[level] |= uint64_t{1} << slot;
}

void TimerWheel::unlink(TimerNode& node) {
  TimerNode*& first = slots_[node.level][node.slot].first;
  if (node.previous != nullptr) node.previous->next = node.next;
  else first = node.next;
  if (node.next != nullptr) node.next->previous = node.previous;
  if (first == nullptr) occupied_[node.level] &= ~(uint64_t{1} << node.slot);
}

void TimerWheel::add(TimerNode& node, int64_t due) {
  node.due = due;
  node.armed = true;
  ++count_;
  insert(node);
}

void TimerWheel::remove(TimerNode& node) {
  unlink(node);
  node.armed = false;
  --count_;
}

bool TimerWheel::first_slot(unsigned& level, unsigned& slot) const {
  for (level = 0; level < kLevels; ++level)
    if (occupied_[level] != 0) {
      slot = static_cast<unsigned>(__builtin_ctzll(occupied_[level]));
      return true;
    }
  return false;
}

uint64_t TimerWheel::start_of(unsigned level, unsigned slot) const {
  uint64_t below = (uint64_t{1} << (level * kBits)) - 1;
  uint64_t digit = uint64_t{kSlots - 1} << (level * kBits);
  return (now_ & ~below & ~digit) | uint64_t{slot} << (level * kBits);
}

int64_t TimerWheel::next() const {
  constexpr int kFew = 16;  // longer lists are not walked: the wheel is looked at once more before they are due
  unsigned level, slot = 0;
  first_slot(level, slot);
  int64_t earliest = INT64_MAX;
  int walked = 0;
  for (const TimerNode* node = slots_[level][slot].first; node != nullptr; node = node->next) {
    if (++walked > kFew) return static_cast<int64_t>(start_of(level, slot) << kShift);
    if (node->due < earliest) earliest = node->due;
  }
  return earliest;
}

TimerNode* TimerWheel::expire(int64_t now) {
  uint64_t until = tick(now);
  unsigned level, slot = 0;
  while (first_slot(level, slot)) {
    uint64_t start = start_of(level, slot);
    if (start > until) break;
    if (level == 0) {
      now_ = start;
      for (TimerNode* node = slots_[0][slot].first; node != nullptr; node = node->next)
        if (node->due <= now) {
          remove(*node);
          return node;
        }
      // Only the tick that is still going on has others, and nothing before them is left.
      return nullptr;
    }
    now_ = start;
    TimerNode* node = slots_[level][slot].first;
    slots_[level][slot].first = nullptr;
    occupied_[level] &= ~(uint64_t{1} << slot);
    while (node != nullptr) {
      TimerNode* following = node->next;
      insert(*node);
      node = following;
    }
  }
  if (until > now_) now_ = until;
  return nullptr;
}

void TimerWheel::rebase(int64_t now) {
  TimerNode* all = nullptr;
  unsigned level, slot = 0;
  while (first_slot(level, slot)) {
    TimerNode* node = slots_[level][slot].first;
    while (node != nullptr) {
      TimerNode* following = node->next;
      node->next = all;
      all = node;
      node = following;
    }
    slots_[level][slot].first = nullptr;
    occupied_[level] &= ~(uint64_t{1} << slot);
  }
  now_ = tick(now);
  while (all != nullptr) {
    TimerNode* following = all->next;
    insert(*all);
    all = following;
  }
}

}  // namespace kev::queue
