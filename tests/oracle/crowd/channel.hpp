// A channel: what one producer writes in order into a pipe, socket or eventfd, and what of it has arrived.
#pragma once

#include <atomic>
#include <cstdint>

namespace crowd {

enum class Kind : uint8_t { pipe, stream, tcp, dgram, event, semaphore };
constexpr unsigned kWithEnd = 3, kWithTokens = 4, kKinds = 6;  // so many of them have an end of file, tokens
constexpr unsigned kTokens = 4096;    // that a channel carries in its life
constexpr unsigned kOutstanding = 32; // that stand in it at most

struct Token {
  uint64_t channel, sequence;
};

struct Channel {
  std::atomic<bool> locked;
  std::atomic<bool> live;     // is written to
  std::atomic<bool> retired;  // its writer is gone: end of file
  Kind kind;
  int write_fd;
  unsigned index, producer;
  unsigned rate;  // one in so many of its producer's turns
  std::atomic<uint32_t> produced, consumed;
  std::atomic<int64_t> written_ns[kTokens];
  std::atomic<uint64_t> taken[kTokens / 64];

  bool carries_tokens() const { return kind != Kind::event && kind != Kind::semaphore; }
  void lock();
  void unlock() { locked.store(false, std::memory_order_release); }
};

// Makes the file of `channel`. Returns the end to read from, both ends non-blocking, or -1: no descriptors.
int open_channel(Channel& channel, Kind kind);
// One token more, unless enough stand in it. False: nothing was written.
bool produce(Channel& channel);
// No more tokens.
void retire(Channel& channel);

// What a read of `channel`, or of a number that had been its, has brought: notes it. False: nothing that was written.
bool account(Channel* channels, unsigned count, Channel& expected, const void* data, long length);

}  // namespace crowd
