// ppoll() and pselect() as cancellation points; the contract stands in sleep.hpp.
#include "cancel/sleep.hpp"

#include <cerrno>

#include "os/poll.hpp"

namespace kev::cancel {

constinit Next next = {};

namespace {

// Turns libc's -1 into -errno and leaves errno as it was.
template <typename Call>
int without_errno(Call call) {
  ++os::kernel_entries;
  int saved = errno;
  int result = call();
  if (result < 0) {
    result = -errno;
    errno = saved;
  }
  return result;
}

}  // namespace

int sleep(pollfd* fds, nfds_t count, const wait::Deadline& deadline, const sigset_t* mask) {
  timespec left;
  timespec* timeout = deadline.remaining(left) ? &left : nullptr;
  if (next.ppoll == nullptr) return os::ppoll(fds, count, timeout, mask);
  return without_errno([&] { return next.ppoll(fds, count, timeout, mask); });
}

int sleep(int count, fd_set* in, fd_set* out, fd_set* except, const wait::Deadline& deadline, const sigset_t* mask) {
  timespec left;
  timespec* timeout = deadline.remaining(left) ? &left : nullptr;
  if (next.pselect == nullptr) return os::pselect(count, in, out, except, timeout, mask);
  return without_errno([&] { return next.pselect(count, in, out, except, timeout, mask); });
}

}  // namespace kev::cancel
