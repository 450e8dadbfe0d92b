// The kernel-epoll engine: a private epoll set.
//
// Works on every kernel and in every container, and holds no reference to a file: a descriptor that is closed
// everywhere leaves the set by itself. It sleeps in ppoll() on the set and not in epoll_wait(), because poll
// goes on after SIGSTOP and SIGCONT and has ppoll's rules for signals; epoll_wait fails with EINTR there.
#pragma once

#include <atomic>
#include <sys/epoll.h>

#include "engine/engine.hpp"

namespace kev::engine {

// Where the engine's private descriptors come from and go to; the preload object keeps their numbers out of the
// program's way (process/private_fds.hpp).
struct DescriptorPolicy {
  int (*adopt)(int fd);    // takes over a fresh descriptor, returns the number to use (>= 0) or -errno with fd closed
  void (*discard)(int fd);  // closes an adopted descriptor
};

// Uses numbers as the kernel gives them.
extern const DescriptorPolicy plain_descriptors;

class EpollEngine final : public Engine {
 public:
  // `scratch` holds `scratch_size` (> 0) kernel events and must outlive the engine; wait() returns at most as many.
  // `wake_fd` is an eventfd that is readable for ever, shared by all engines of the process, or -1: no wake().
  void configure(epoll_event* scratch, int scratch_size, int wake_fd, const DescriptorPolicy& policy);

  int open() override;
  void close() override;
  int add(int fd, uint32_t events, uint64_t token) override;
  int change(int fd, uint32_t events, uint64_t token) override;
  int remove(int fd) override;
  int wait(Event* out, int max, const wait::Deadline& deadline, const sigset_t* mask) override;
  int wake() override;

  int descriptor() const { return epfd_; }

 private:
  int control(int op, int fd, uint32_t events, uint64_t token);
  int harvest(Event* out, int max);

  std::atomic<int> epfd_{-1};     // read by wake() on any thread
  std::atomic<int> wake_fd_{-1};
  int scratch_size_ = 0;
  epoll_event* scratch_ = nullptr;
  const DescriptorPolicy* policy_ = &plain_descriptors;
};

}  // namespace kev::engine
