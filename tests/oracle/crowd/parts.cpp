// What several threads of a round do: make channels, read them out, keep the descriptor limit away from each other.
#include <fcntl.h>
#include <unistd.h>

#include "figures.hpp"
#include "round.hpp"

namespace crowd {

Round* round_now;

void Round::begin_making() {
  for (int count = makers;;) {
    if (count >= 0 && makers.compare_exchange_weak(count, count + 1)) return;
    if (count < 0) pause_us(50);
    count = makers;
  }
}

void Round::begin_limit() {
  for (int none = 0; !makers.compare_exchange_weak(none, -1); none = 0) pause_us(50);
}

Channel* new_channel(Random& random, unsigned kinds, int& fd) {
  Round& round = *round_now;
  unsigned index = round.channel_count;
  do {
    if (index >= kChannels) return nullptr;
  } while (!round.channel_count.compare_exchange_weak(index, index + 1));
  Channel& channel = round.channels[index];
  Kind kind = static_cast<Kind>(random.below(kinds));
  channel.index = index;
  channel.producer = random.below(round.producers);
  // Most are silent for long: what is mostly ready is the kernel's.
  channel.rate = random.one_in(4) ? random.between(1, 4) : random.between(8, 200);
  channel.retired = true;
  fd = open_channel(channel, kind);
  if (fd < 0) return fail("no descriptors"), nullptr;
  channel.retired = false;
  return &channel;
}

void read_out(int fd, Channel& expected) {
  Token buffer;
  for (long length; (length = read(fd, &buffer, sizeof buffer)) > 0;)
    if (!account(round_now->channels, round_now->channel_count, expected, &buffer, length))
      fail("channel %u: %ld bytes that nobody wrote", expected.index, length);
}

}  // namespace crowd
