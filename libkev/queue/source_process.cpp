// The end of a process, by its pidfd: status and times, without waiting for it unless asked to.
#include <cstring>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "queue/queue.hpp"

namespace kev::queue {

namespace {

constexpr int kByPidfd = 3;  // P_PIDFD

// Linux 6.13 and 6.15's PIDFD_GET_INFO; of a process that has ended it tells the exit code.
struct PidfdInfo {
  uint64_t mask, cgroup_id;
  uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
  int32_t exit_code;
  uint32_t coredump_mask, reserved;
};
constexpr uint64_t kExit = 1 << 3;
constexpr unsigned long kGetInfo = _IOWR(0xFF, 11, PidfdInfo);

uint64_t ns(const timeval& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_usec) * 1000;
}

// 0 with code and status as waitid's, or -errno.
int ask_pidfd(int fd, int& code, int& status) {
  PidfdInfo info = {};
  info.mask = kExit;
  if (arch::syscall(SYS_ioctl, fd, static_cast<long>(kGetInfo), reinterpret_cast<long>(&info)) < 0 ||
      (info.mask & kExit) == 0)
    return -EOPNOTSUPP;
  int wait_status = info.exit_code;
  code = WIFEXITED(wait_status) ? CLD_EXITED : WCOREDUMP(wait_status) ? CLD_DUMPED : CLD_KILLED;
  status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : WTERMSIG(wait_status);
  return 0;
}

}  // namespace

int start_process(Queue& queue, Entry& entry, const kev_change& change, bool modify) {
  if (change.ident > INT32_MAX) return -EBADF;
  if (change.what != 0) return -EINVAL;
  for (uint64_t arg : change.arg)
    if (arg != 0) return -EINVAL;
  int error = make_details(queue);
  if (error < 0) return error;
  // Only a pidfd can be waited for so; others are told by it.
  siginfo_t info;
  error = static_cast<int>(arch::syscall(SYS_waitid, kByPidfd, entry.fd(), reinterpret_cast<long>(&info),
                                         WEXITED | WNOHANG | WNOWAIT, 0));
  if (error == -EBADF || error == -EINVAL) return error;
  uint64_t token = entry.reference().token();
  error = modify ? queue.watcher.change(entry.fd(), EPOLLIN | EPOLLONESHOT, token)
                 : queue.watcher.arm(entry.fd(), EPOLLIN | EPOLLONESHOT, token);
  if (!modify && error == -EEXIST) error = queue.watcher.change(entry.fd(), EPOLLIN | EPOLLONESHOT, token);
  return error;
}

bool fill_process(Queue&, Entry& entry, kev_event& event, Detail* detail) {
  siginfo_t info = {};
  rusage usage = {};
  int how = WEXITED | WNOHANG | (entry.has(KEV_REAP) ? 0 : WNOWAIT);
  long error = arch::syscall(SYS_waitid, kByPidfd, entry.fd(), reinterpret_cast<long>(&info), how,
                             reinterpret_cast<long>(&usage));
  int code = info.si_code, status = info.si_status;
  bool has_usage = error == 0 && info.si_pid != 0;
  if (!has_usage) error = ask_pidfd(entry.fd(), code, status);
  event.what = KEV_EXIT;
  if (error < 0) {
    event.flags |= KEV_E_ERROR;
    event.result = error;
    return true;
  }
  event.result = status;
  event.data[0] = static_cast<uint32_t>(code);
  if (!has_usage) return true;
  event.data[1] = ns(usage.ru_utime);
  event.data[2] = ns(usage.ru_stime);
  if (detail != nullptr) {
    static_assert(sizeof usage <= sizeof detail->bytes);
    std::memcpy(detail->bytes, &usage, sizeof usage);
    detail->size = sizeof usage;
    event.flags |= KEV_E_MORE;
  }
  return true;
}

}  // namespace kev::queue
