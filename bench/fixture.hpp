// What the cases are built from: descriptors that are closed again, and arrays of eventfds to wait on.
#pragma once

#include <poll.h>
#include <utility>
#include <vector>

namespace kev::bench {

// Closes its descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd);  // throws if fd is negative
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd();
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

// An eventfd; one that is ready can be read for ever.
Fd make_eventfd(bool ready = false);

struct Pipe {
  Fd read, write;
};
Pipe make_pipe();

// Where the `index`th of `ready` entries stands among `count`: spread evenly, the last one at the end, as in a server
// whose newest client is the busy one.
inline unsigned ready_position(unsigned index, unsigned ready, unsigned count) {
  return static_cast<unsigned>((index + 1ul) * count / ready - 1);
}

// Some eventfds, the first ones idle or ready as asked.
struct EventFds {
  EventFds(unsigned count, unsigned ready);
  std::vector<Fd> fds;
  std::vector<pollfd> array() const;  // all of them, for POLLIN
};

// poll() often enough for the array to be answered by the core from now on, if it ever is.
void warm_up(std::vector<pollfd>& array);

}  // namespace kev::bench
