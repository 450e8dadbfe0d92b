// A slot: a number that consumers have in their arrays, the channel that stands behind it, and what can be concluded from
// it. The version is odd while the number changes; what was true at an even version holds as long as it stays.
#pragma once

#include <atomic>
#include <cstdint>

#include "channel.hpp"
#include "random.hpp"

namespace crowd {

struct Round;

struct Slot {
  std::atomic<uint32_t> version;
  std::atomic<int> number;
  std::atomic<unsigned> channel;
  std::atomic<bool> closed;      // nothing stands at the number
  std::atomic<bool> silent;      // last changed by system calls that no shim sees
  std::atomic<int64_t> since_ns; // then
  std::atomic<uint32_t> begun, done;  // reads
  int reserved;                  // a number that nothing else in the process takes
  bool foreign;                  // changed by the churner, not by its own consumer
  bool shared;                   // in more than one consumer's arrays
  uint32_t set_events;           // in an epoll set, with these
};

// How a number comes to another file.
enum class Way : uint8_t {
  close, dup2, dup3, close_range, fclose, raw_close, raw_dup3,
  count_in_place,
  made = count_in_place,  // closed, and the new file's own number taken
  message,                // closed, and the new file received in a message
  count,
};

// Puts the file `fd` at the slot's number, or the slot at another number, and closes `fd`. Leaves the slot closed for
// `gap_us` if the way has a gap. The file that stood there is not read out.
void put(Slot& slot, Way way, int fd, unsigned channel, unsigned gap_us);

}  // namespace crowd
