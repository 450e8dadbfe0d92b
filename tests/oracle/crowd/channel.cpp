#include "channel.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../world/raw.h"
#include "figures.hpp"

namespace crowd {

namespace {

bool tcp_pair(int ends[2]) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* name = reinterpret_cast<sockaddr*>(&address);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ends[0] = ends[1] = -1;
  if (listener >= 0 && bind(listener, name, length) == 0 && listen(listener, 1) == 0 &&
      getsockname(listener, name, &length) == 0) {
    ends[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (ends[1] >= 0 && connect(ends[1], name, length) == 0)
      ends[0] = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  }
  int error = errno;
  if (listener >= 0) close(listener);
  if (ends[0] < 0) {
    if (ends[1] >= 0) close(ends[1]);
    errno = error;
    return false;
  }
  int one = 1;
  setsockopt(ends[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  // No TIME_WAIT: thousands of these are made.
  linger now = {1, 0};
  setsockopt(ends[0], SOL_SOCKET, SO_LINGER, &now, sizeof now);
  fcntl(ends[1], F_SETFL, O_RDWR | O_NONBLOCK);
  return true;
}

}  // namespace

void Channel::lock() {
  while (locked.exchange(true, std::memory_order_acquire)) pause_us(20);
}

int open_channel(Channel& channel, Kind kind) {
  int ends[2] = {-1, -1};
  bool made = false;
  switch (kind) {
    case Kind::pipe: made = pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0; break;
    case Kind::stream: made = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0; break;
    case Kind::dgram: made = socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0; break;
    case Kind::tcp:
      // A signal ends connect and accept.
      while (!(made = tcp_pair(ends)) && errno == EINTR) continue;
      break;
    case Kind::event:
    case Kind::semaphore:
      ends[0] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC | (kind == Kind::semaphore ? EFD_SEMAPHORE : 0));
      ends[1] = ends[0] < 0 ? -1 : dup(ends[0]);
      made = ends[1] >= 0;
      if (!made && ends[0] >= 0) close(ends[0]);
      break;
  }
  if (!made) return -1;
  channel.kind = kind;
  channel.write_fd = ends[1];
  return ends[0];
}

bool produce(Channel& channel) {
  channel.lock();
  uint32_t sequence = channel.produced;
  bool written = false;
  if (channel.live && sequence < kTokens && sequence - channel.consumed < kOutstanding) {
    Token token = {channel.index, sequence};
    uint64_t one = 1;
    bool tokens = channel.carries_tokens();
    long length = write(channel.write_fd, tokens ? static_cast<void*>(&token) : &one, tokens ? sizeof token : sizeof one);
    written = length > 0;
    if (length > 0 && length != static_cast<long>(tokens ? sizeof token : sizeof one)) fail("a token was cut in writing");
    if (length < 0 && errno != EAGAIN && errno != ENOBUFS) fail("writing to channel %u: errno %d", channel.index, errno);
    if (written) {
      channel.written_ns[sequence] = now_ns();
      channel.produced.store(sequence + 1, std::memory_order_release);
    }
  }
  channel.unlock();
  return written;
}

void retire(Channel& channel) {
  channel.lock();
  channel.live = false;
  if (!channel.retired.exchange(true)) close(channel.write_fd);
  channel.unlock();
}

bool account(Channel* channels, unsigned count, Channel& expected, const void* data, long length) {
  if (length == sizeof(Token)) {
    Token token;
    memcpy(&token, data, sizeof token);
    if (token.channel >= count || token.sequence >= kTokens) return false;
    Channel& channel = channels[token.channel];
    uint64_t bit = 1ull << token.sequence % 64;
    if (channel.taken[token.sequence / 64].fetch_or(bit) & bit)
      fail("channel %u: token %u came twice", channel.index, static_cast<unsigned>(token.sequence));
    // Readers of one channel may note theirs in another order, but not skip more than there are readers.
    channel.consumed.fetch_add(1, std::memory_order_acq_rel);
    ++figures->events;
    return true;
  }
  uint64_t value;
  if (length != sizeof value || expected.carries_tokens()) return false;
  memcpy(&value, data, sizeof value);
  // The writer may be about to note what was just read.
  for (int i = 0; i < 20000 && expected.consumed + value > expected.produced; ++i) pause_us(100);
  if (expected.consumed.fetch_add(static_cast<uint32_t>(value)) + value > expected.produced)
    fail("channel %u: more was read than was written", expected.index);
  figures->events += value;
  return true;
}

}  // namespace crowd
