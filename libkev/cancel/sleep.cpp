// ppoll() and pselect() by the stub; the contract stands in sleep.hpp.
#include "cancel/sleep.hpp"

#include <cerrno>
#include <sys/syscall.h>

#include "os/poll.hpp"

namespace kev::cancel {

constinit StandIn stand_in = {};

namespace {

template <typename Call>
int without_errno(Call call) {
  int saved = errno;
  int result = call();
  if (result < 0) {
    result = -errno;
    errno = saved;
  }
  return result;
}

long word(const void* pointer) { return reinterpret_cast<long>(pointer); }

}  // namespace

int sleep(pollfd* fds, nfds_t count, const wait::Deadline& deadline, const sigset_t* mask, unsigned seen) {
  timespec left;
  timespec* timeout = deadline.remaining(left) ? &left : nullptr;
  ++os::kernel_entries;
  if (stand_in.ppoll != nullptr) return without_errno([&] { return stand_in.ppoll(fds, count, timeout, mask); });
  return static_cast<int>(kev_syscall_cp(word(fds), static_cast<long>(count), word(timeout), word(mask),
                                         os::kSigsetBytes, 0, SYS_ppoll, kReturn | seen));
}

int sleep(int count, fd_set* in, fd_set* out, fd_set* except, const wait::Deadline& deadline, const sigset_t* mask,
          unsigned seen) {
  timespec left;
  timespec* timeout = deadline.remaining(left) ? &left : nullptr;
  ++os::kernel_entries;
  if (stand_in.pselect != nullptr)
    return without_errno([&] { return stand_in.pselect(count, in, out, except, timeout, mask); });
  os::SelectMask with_size = {mask, os::kSigsetBytes};
  return static_cast<int>(kev_syscall_cp(count, word(in), word(out), word(except), word(timeout), word(&with_size),
                                         SYS_pselect6, kReturn | seen));
}

int sleep(int epfd, epoll_event* events, int max, const wait::Deadline& deadline, const sigset_t* mask, unsigned seen) {
  timespec left;
  timespec* timeout = deadline.remaining(left) ? &left : nullptr;
  ++os::kernel_entries;
  return static_cast<int>(kev_syscall_cp(epfd, word(events), max, word(timeout), word(mask), os::kSigsetBytes,
                                         SYS_epoll_pwait2, kReturn | seen));
}

}  // namespace kev::cancel
