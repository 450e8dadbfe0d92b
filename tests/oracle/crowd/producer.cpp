// A producer: writes to its channels in bursts, and is silent in between, so that consumers come to sleep.
#include "figures.hpp"
#include "others.hpp"
#include "round.hpp"

namespace crowd {

void* run_producer(void* argument) {
  auto& [random, index] = *static_cast<Producer*>(argument);
  Round& round = *round_now;
  while (!round.silent) {
    unsigned count = round.channel_count;
    for (unsigned i = 1; i < count; ++i) {
      Channel& channel = round.channels[i];
      if (channel.live && channel.producer == index && random.one_in(channel.rate)) produce(channel);
    }
    if (!random.one_in(3)) pause_us(random.one_in(10) ? random.between(1000, 9000) : random.between(20, 700));
  }
  return nullptr;
}

}  // namespace crowd
