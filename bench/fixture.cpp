// Descriptors for the cases; fixture.hpp says what.
#include "fixture.hpp"

#include <cerrno>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>

namespace kev::bench {

Fd::Fd(int fd) : fd_(fd) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "no descriptor");
}

Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}

Fd make_eventfd(bool ready) { return Fd(eventfd(ready ? 1 : 0, EFD_CLOEXEC | EFD_NONBLOCK)); }

Pipe make_pipe() {
  int ends[2];
  if (pipe(ends) < 0) throw std::system_error(errno, std::generic_category(), "no pipe");
  return {Fd(ends[0]), Fd(ends[1])};
}

EventFds::EventFds(unsigned count, unsigned ready) {
  std::vector<bool> is_ready(count);
  for (unsigned i = 0; i < ready; ++i) is_ready[ready_position(i, ready, count)] = true;
  for (unsigned i = 0; i < count; ++i) fds.push_back(make_eventfd(is_ready[i]));
}

std::vector<pollfd> EventFds::array() const {
  std::vector<pollfd> array;
  for (const Fd& fd : fds) array.push_back({fd.get(), POLLIN, 0});
  return array;
}

void warm_up(std::vector<pollfd>& array) {
  for (int i = 0; i < 512; ++i) poll(array.data(), array.size(), 0);
}

}  // namespace kev::bench
