// A round: what is shared by its threads and the children that they fork. Zeroes are its beginning.
#pragma once

#include <atomic>
#include <cstdint>

#include "channel.hpp"
#include "slot.hpp"

namespace crowd {

constexpr unsigned kChannels = 160;
constexpr unsigned kSlots = 96;
constexpr unsigned kStopSlot = 0;          // an eventfd that says that the round is over; never read
constexpr int kReserved = 600;             // the slots' own numbers: no call that makes a descriptor comes so far
constexpr int64_t kVerifyNs = 6'500'000;   // a verification period, and some
constexpr int64_t kHangNs = 3'000'000'000; // a wait that sleeps so long over what stands

struct Round {
  Channel channels[kChannels];
  Slot slots[kSlots];
  std::atomic<unsigned> channel_count;
  unsigned slot_count;
  unsigned producers;
  bool native;                   // without the shim: what libc itself loses is left out
  std::atomic<bool> winding_up;  // no more changes, signals, cancellations
  std::atomic<bool> silent;      // no more tokens
  std::atomic<bool> stopped;     // the stop slot is ready
  std::atomic<int> makers;       // descriptors are being made; -1: the limit is being met

  // Between these, descriptors can be made.
  void begin_making();
  void end_making() { makers.fetch_sub(1); }
  void begin_limit();
  void end_limit() { makers = 0; }
};

extern Round* round_now;

// A new channel, of one of the first `kinds` kinds, and the number to read it from, between begin_making and end_making. Null: there have been enough.
Channel* new_channel(Random& random, unsigned kinds, int& fd);
// Reads a number that is no slot's until nothing stands there.
void read_out(int fd, Channel& expected);

void run_round(uint64_t seed, bool native);

}  // namespace crowd
