// The arrays that a consumer keeps: how they come to be, and change from call to call.
#include <utility>

#include "consumer.hpp"

namespace crowd {

namespace {

short random_events(Random& random, unsigned slot) {
  if (slot == kStopSlot) return POLLIN;
  switch (random.below(12)) {
    case 0: return POLLIN | POLLPRI;
    case 1: return POLLIN | POLLRDNORM;
    case 2: return POLLIN | POLLRDHUP;
    default: return POLLIN;
  }
}

void set_entry(Consumer& consumer, Array& array, unsigned at, unsigned slot) {
  array.slots[at] = slot;
  array.entries[at] = {round_now->slots[slot].number, random_events(consumer.random, slot), 0};
}

}  // namespace

// The slots that a consumer has begin with the stop slot. With `all` the array has every one of them; waits without a
// timeout take only such.
void make_array(Consumer& consumer, Array& array, bool all) {
  Random& random = consumer.random;
  array.count = 0;
  for (unsigned i = 0; i < consumer.slot_count && array.count < kEntries - 8; ++i)
    if (all || i == 0 || !random.one_in(3)) set_entry(consumer, array, array.count++, consumer.slots[i]);
  for (unsigned i = 0; i < array.count; ++i) {
    unsigned other = random.below(array.count);
    std::swap(array.entries[i], array.entries[other]);
    std::swap(array.slots[i], array.slots[other]);
  }
}

void edit_array(Consumer& consumer, Array& array) {
  Random& random = consumer.random;
  bool all = &array == &consumer.arrays[0];
  unsigned a = random.below(array.count), b = random.below(array.count);
  switch (random.below(all ? 3 : 6)) {
    case 0:
      std::swap(array.entries[a], array.entries[b]);
      std::swap(array.slots[a], array.slots[b]);
      break;
    case 1: array.entries[a].events = random_events(random, array.slots[a]); break;
    case 2:
      if (array.count < kEntries)  // also twice
        set_entry(consumer, array, array.count++, consumer.slots[random.below(consumer.slot_count)]);
      else
        make_array(consumer, array, all);
      break;
    case 3:
      if (array.count > 2 && array.slots[array.count - 1] != kStopSlot) --array.count;
      break;
    case 4:
      if (array.slots[a] != kStopSlot)
        set_entry(consumer, array, a, consumer.slots[random.below(consumer.slot_count)]);
      break;
    case 5: make_array(consumer, array, all); break;
  }
}

}  // namespace crowd
