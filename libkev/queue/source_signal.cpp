// Signals, by one signalfd for all of a queue: its mask is what is registered and enabled.
#include <cstdlib>
#include <cstring>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>

#include "os/file.hpp"
#include "queue/queue.hpp"
#include "wait/signal_gate.hpp"

namespace kev::queue {

namespace {

static_assert(sizeof(signalfd_siginfo) == 128);

// The record as the siginfo_t that a handler would have had.
siginfo_t siginfo_of(const signalfd_siginfo& record) {
  siginfo_t info = {};
  info.si_signo = static_cast<int>(record.ssi_signo);
  info.si_errno = record.ssi_errno;
  info.si_code = record.ssi_code;
  switch (record.ssi_signo) {
    case SIGCHLD:
      info.si_pid = static_cast<pid_t>(record.ssi_pid);
      info.si_uid = record.ssi_uid;
      info.si_status = record.ssi_status;
      info.si_utime = static_cast<clock_t>(record.ssi_utime);
      info.si_stime = static_cast<clock_t>(record.ssi_stime);
      break;
    case SIGIO:
      info.si_band = static_cast<long>(record.ssi_band);
      info.si_fd = record.ssi_fd;
      break;
    default:
      info.si_pid = static_cast<pid_t>(record.ssi_pid);
      info.si_uid = record.ssi_uid;
      info.si_value.sival_ptr = reinterpret_cast<void*>(record.ssi_ptr);
  }
  return info;
}

int set_mask(Queue& queue, uint64_t mask) {
  int fd = static_cast<int>(arch::syscall(SYS_signalfd4, queue.signals, reinterpret_cast<long>(&mask), sizeof mask,
                                          SFD_CLOEXEC | SFD_NONBLOCK));
  if (fd < 0) return fd;
  if (queue.signals < 0) {
    int error = queue.watcher.arm(fd, EPOLLIN, token_of(Internal::signals));
    if (error < 0) {
      os::close(fd);
      return error;
    }
    queue.signals = fd;
  }
  queue.signal_mask = mask;
  return 0;
}

// Into the ring. False: there is no room.
bool deliver(Queue& queue, const signalfd_siginfo& record) {
  Entry* entry = queue.table.find(KEV_SOURCE_SIGNAL, record.ssi_signo);
  if (entry == nullptr) return true;  // it was deleted since
  uint64_t data[3] = {record.ssi_pid | uint64_t{record.ssi_uid} << 32,
                      static_cast<uint32_t>(record.ssi_code) | uint64_t{static_cast<uint32_t>(record.ssi_status)} << 32,
                      record.ssi_ptr};
  siginfo_t info = siginfo_of(record);
  if (!publish_posted(queue, *entry, record.ssi_signo, data, &info, sizeof info)) return false;
  if (entry->has(KEV_WAKE_ALL)) queue.wake_all = true;
  if (entry->has(KEV_DISPATCH | KEV_ONESHOT)) set_enabled(queue, *entry, false);
  return true;
}

}  // namespace

int make_details(Queue& queue) {
  if (queue.details == nullptr)
    queue.details = static_cast<Detail*>(std::calloc(queue.ring.capacity(), sizeof(Detail)));
  return queue.details == nullptr ? -ENOMEM : 0;
}

int start_signal(Queue& queue, Entry&, const kev_change& change, bool) {
  uint64_t signal = change.ident;
  bool is_librarys = signal >= 32 && static_cast<int>(signal) < SIGRTMIN;
  if (signal < 1 || signal > 64 || signal == SIGKILL || signal == SIGSTOP || is_librarys) return -EINVAL;
  if (change.what != 0) return -EINVAL;
  for (uint64_t arg : change.arg)
    if (arg != 0) return -EINVAL;
  int error = make_details(queue);
  if (error < 0) return error;
  return set_mask(queue, queue.signal_mask | wait::signal_bit(static_cast<int>(signal)));
}

void enable_signal(Queue& queue, int signal, bool enabled) {
  uint64_t bit = wait::signal_bit(signal);
  set_mask(queue, enabled ? queue.signal_mask | bit : queue.signal_mask & ~bit);
}

void read_signals(Queue& queue) {
  if (queue.signal_is_held) {
    if (!deliver(queue, queue.held_signal)) return;
    queue.signal_is_held = false;
  }
  while (queue.ring.ready() < queue.ring.capacity()) {
    if (os::read(queue.signals, &queue.held_signal, sizeof queue.held_signal) !=
        static_cast<long>(sizeof queue.held_signal))
      return;
    if (!deliver(queue, queue.held_signal)) {
      queue.signal_is_held = true;
      ++queue.full;
      return;
    }
  }
  // It stays readable: the next look finds it.
  queue.more.store(true, std::memory_order_relaxed);
}

}  // namespace kev::queue
