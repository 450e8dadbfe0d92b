#include "watchdog.hpp"

#include "../world/raw.h"
#include "figures.hpp"

namespace crowd {

namespace {

bool hangs(const Consumer& consumer) {
  const Watched& watched = consumer.watched;
  int64_t since = watched.since_ns;
  if (since == 0 || now_ns() - since < kHangNs) return false;
  pollfd entries[kEntries];
  unsigned count = watched.count;
  for (unsigned i = 0; i < count; ++i) entries[i] = {watched.numbers[i], watched.events[i], 0};
  timespec none = {};
  if (raw(SYS_ppoll, entries, count, &none, 0, 8) <= 0) return false;
  for (unsigned i = 0; i < count; ++i) {
    const Slot& slot = round_now->slots[watched.slots[i]];
    if (entries[i].revents == 0 || watched.versions[i] % 2 != 0 || slot.version != watched.versions[i]) continue;
    if (watched.since_ns != since) return false;
    fail("a wait hangs: thread %u, %s of %u for %lld ms, entry %u: number %d, slot %u, revents %#x", consumer.index,
         watched.call, count, static_cast<long long>((now_ns() - since) / 1'000'000), i, entries[i].fd,
         watched.slots[i].load(), static_cast<unsigned>(entries[i].revents));
    return true;
  }
  return false;
}

}  // namespace

bool look_for_hang(const Consumer* consumers, unsigned count) {
  bool found = false;
  for (unsigned i = 0; i < count; ++i) found |= consumers[i].running && hangs(consumers[i]);
  return found;
}

}  // namespace crowd
