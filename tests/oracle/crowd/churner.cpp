// The churner: changes numbers that others wait for, in every way; now and then meets the descriptor limit.
#include <cerrno>
#include <sys/resource.h>
#include <unistd.h>

#include "figures.hpp"
#include "others.hpp"
#include "round.hpp"

namespace crowd {

namespace {

// Another thread's number gets another file. The old file is kept, with what is written to it, for some time more.
void change_foreign(Random& random, Slot& slot) {
  Round& round = *round_now;
  round.begin_making();
  int fd;
  if (Channel* channel = new_channel(random, kWithTokens, fd)) {
    Channel& before = round.channels[slot.channel];
    int parked = dup(slot.number);
    if (parked < 0) fail("no descriptor for what is parked");
    auto way = static_cast<Way>(random.below(static_cast<unsigned>(Way::count_in_place)));
    put(slot, way, fd, channel->index, random.one_in(2) ? random.between(1, 15'000) : 0);
    channel->live = true;
    if (random.one_in(2)) pause_us(random.between(1, 3000));
    retire(before);
    read_out(parked, before);
    close(parked);
  }
  round.end_making();
}

void meet_limit() {
  Round& round = *round_now;
  round.begin_limit();
  rlimit before;
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit low = {900, before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &low);
  int made[900];
  unsigned count = 0;
  while (count < 900 && (made[count] = dup(2)) >= 0) ++count;
  if (count < 900 && errno != EMFILE) fail("dup at the limit: errno %d", errno);
  // The slots' own numbers are taken by this, where they are free: only here, while nobody makes any.
  while (count > 0) close(made[--count]);
  setrlimit(RLIMIT_NOFILE, &before);
  round.end_limit();
}

}  // namespace

void* run_churner(void* argument) {
  auto& [random, first, count, meets_limit] = *static_cast<Churner*>(argument);
  while (!round_now->winding_up) {
    if (count != 0) change_foreign(random, round_now->slots[first + random.below(count)]);
    if (meets_limit && random.one_in(10)) meet_limit();
    pause_us(random.between(100, 6000));
  }
  return nullptr;
}

}  // namespace crowd
