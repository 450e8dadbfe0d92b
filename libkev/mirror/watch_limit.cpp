// Counting registrations; the contract stands in watch_limit.hpp.
#include "mirror/watch_limit.hpp"

#include <atomic>
#include <climits>

#include "os/file.hpp"
#include "wait/signal_gate.hpp"

namespace kev::mirror {

namespace {

constexpr unsigned kShare = 10;
constexpr int kWithoutFile = 8192;

constinit std::atomic<int> limit{kWithoutFile};
constinit std::atomic<bool> is_read{false};
constinit std::atomic<int> held{0};

int number_in(const char* path) {
  // A handler that leaves by siglongjmp must not leave the file open.
  wait::SignalGate gate;
  gate.close();
  unsigned long value = 0;
  int fd = os::openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    char text[24];
    long size = os::read(fd, text, sizeof text);
    for (long i = 0; i < size && text[i] >= '0' && text[i] <= '9'; ++i)
      value = value * 10 + static_cast<unsigned long>(text[i] - '0');
    os::close(fd);
  }
  gate.open();
  return value < INT_MAX ? static_cast<int>(value) : INT_MAX;
}

}  // namespace

void read_watch_limit() {
  if (is_read.load(std::memory_order_relaxed) || is_read.exchange(true, std::memory_order_relaxed)) return;
  int allowed = number_in("/proc/sys/fs/epoll/max_user_watches");
  if (allowed != 0) limit.store(allowed / kShare, std::memory_order_relaxed);
}

bool take_watch() {
  if (held.fetch_add(1, std::memory_order_relaxed) < limit.load(std::memory_order_relaxed)) return true;
  give_watches(1);
  return false;
}

void give_watches(unsigned count) { held.fetch_sub(static_cast<int>(count), std::memory_order_relaxed); }

void forget_watches() { held.store(0, std::memory_order_relaxed); }

}  // namespace kev::mirror
