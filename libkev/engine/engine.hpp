// The engine contract: what the wait core asks of whatever watches descriptors.
//
// An engine holds registrations and tells which of them have events. It never knows who asks, keeps no
// reference to a file beyond what its kernel interface does, and allocates nothing. tests/unit/engine holds the
// typed suite that every engine passes.
//
// Threads: one thread at a time calls anything but wake(); wake() may be called by any thread and from signal
// handlers while another waits. All calls return >= 0 or -errno. None is a cancellation point; a
// wait() that meets a request returns cancel::kCancelled, with nothing taken.
#pragma once

#include <csignal>
#include <cstdint>

#include "wait/deadline.hpp"

namespace kev::engine {

// One event: the token given at registration, and the poll bits that are set.
struct Event {
  uint64_t token;
  uint32_t events;
  uint32_t reserved;
};

// The token of the event that wake() makes. No registration may use it.
inline constexpr uint64_t kWakeToken = ~uint64_t{0};

class Engine {
 public:
  // Makes the kernel object. Precondition: closed. -EMFILE, -ENFILE, -ENOMEM.
  virtual int open() = 0;

  // Gives everything back; registrations are gone. Does nothing on a closed engine.
  virtual void close() = 0;

  // Watches `fd` for `events` (poll bits; POLLERR and POLLHUP are always watched), level-triggered.
  // -EEXIST: this descriptor of this file is registered already. -EBADF: not open. -EPERM: the file cannot be
  // watched. -ENOSPC: the user's watches are used up. -ENOMEM.
  virtual int add(int fd, uint32_t events, uint64_t token) = 0;

  // Replaces events and token. -ENOENT: not registered. -EBADF.
  virtual int change(int fd, uint32_t events, uint64_t token) = 0;

  // -ENOENT: not registered. -EBADF: closed (what the closed number had registered may still report).
  virtual int remove(int fd) = 0;

  // Fills `out` with up to `max` (> 0) events that stand now; sleeps while there are none, until the deadline.
  // 0: the deadline passed. -EINTR: a signal handler ran. A stop and continuation of the process is not seen.
  // `mask` (may be null) replaces the signal mask atomically for the sleep, with ppoll's rules: a ready
  // descriptor wins over a pending signal; with nothing ready a pending signal gives -EINTR even if the
  // deadline has passed. Cancellation point if it sleeps: a cancelled thread has taken no event.
  virtual int wait(Event* out, int max, const wait::Deadline& deadline, const sigset_t* mask) = 0;

  // Makes one wait(), present or next, return with an event of kWakeToken. Calls that come before it returns
  // may be folded into one. Async-signal-safe.
  virtual int wake() = 0;

 protected:
  ~Engine() = default;
};

}  // namespace kev::engine
