// The kernel-epoll engine; the contract stands in engine.hpp.
#include "engine/epoll_engine.hpp"

#include <cerrno>
#include <poll.h>

#include "cancel/sleep.hpp"
#include "os/epoll.hpp"
#include "os/file.hpp"
#include "wait/signal_gate.hpp"

namespace kev::engine {

namespace {

int keep_number(int fd) { return fd; }
void close_number(int fd) { os::close(fd); }

}  // namespace

const DescriptorPolicy plain_descriptors = {keep_number, close_number};

void EpollEngine::configure(epoll_event* scratch, int scratch_size, int wake_fd, const DescriptorPolicy& policy) {
  scratch_ = scratch;
  scratch_size_ = scratch_size;
  wake_fd_ = wake_fd;
  policy_ = &policy;
}

int EpollEngine::open() {
  // A handler that leaves by siglongjmp must not leave a descriptor behind at a number that is the program's.
  wait::SignalGate gate;
  gate.close();
  int fd = os::epoll_create1(EPOLL_CLOEXEC);
  if (fd >= 0) fd = policy_->adopt(fd);
  // Known before a signal may come: it is closed with the engine then.
  if (fd >= 0) epfd_ = fd;
  gate.open();
  if (fd < 0) return fd;
  if (wake_fd_ < 0) return 0;
  // Registered but asleep: wake() arms it for one report.
  int error = control(EPOLL_CTL_ADD, wake_fd_, EPOLLONESHOT, kWakeToken);
  if (error < 0) close();
  return error;
}

void EpollEngine::close() {
  if (epfd_ < 0) return;
  // As above: between forgetting and closing.
  wait::SignalGate gate;
  gate.close();
  int fd = epfd_.exchange(-1);
  if (fd >= 0) policy_->discard(fd);
  gate.open();
}

int EpollEngine::control(int op, int fd, uint32_t events, uint64_t token) {
  epoll_event event = {};
  event.events = events;
  event.data.u64 = token;
  return os::epoll_ctl(epfd_, op, fd, &event);
}

int EpollEngine::add(int fd, uint32_t events, uint64_t token) { return control(EPOLL_CTL_ADD, fd, events, token); }

int EpollEngine::change(int fd, uint32_t events, uint64_t token) { return control(EPOLL_CTL_MOD, fd, events, token); }

int EpollEngine::remove(int fd) { return control(EPOLL_CTL_DEL, fd, 0, 0); }

int EpollEngine::wake() { return control(EPOLL_CTL_MOD, wake_fd_, EPOLLIN | EPOLLONESHOT, kWakeToken); }

int EpollEngine::harvest(Event* out, int max) {
  int count = os::epoll_harvest(epfd_, scratch_, max < scratch_size_ ? max : scratch_size_);
  // It did not sleep, so no handler has ended a wait; whoever asked is to look by other means.
  if (count == -EINTR) return -EAGAIN;
  for (int i = 0; i < count; ++i) out[i] = {scratch_[i].data.u64, scratch_[i].events, 0};
  return count;
}

int EpollEngine::wait(Event* out, int max, const wait::Deadline& deadline, const sigset_t* mask) {
  for (;;) {
    int count = harvest(out, max);
    if (count != 0) return count;
    if (mask == nullptr && deadline.passed()) return 0;
    pollfd set = {epfd_, POLLIN, 0};
    int ready = cancel::sleep(&set, 1, deadline, mask);
    if (ready <= 0) return ready;
    // What woke the sleeper may be gone again: then it goes on sleeping, as poll() would.
    if (set.revents & POLLNVAL) return -EBADF;
  }
}

}  // namespace kev::engine
