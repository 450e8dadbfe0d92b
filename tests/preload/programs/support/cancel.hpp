// What scenarios of cancelled threads share: threads, and what they wait for.
//
// The C library itself loses what a cancelled call had taken; what must not happen under the object alone is a STRICT
// check.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <atomic>
#include <functional>

#include "../../../support/jitter.hpp"
#include "support/process.hpp"

namespace scenario {

inline bool is_exact() {
  bool loaded = false, off = false;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    loaded = loaded || (::strncmp(*entry, "LD_PRELOAD=", 11) == 0 && ::strstr(*entry, "libkev-preload") != nullptr);
    off = off || ::strcmp(*entry, "KEV_ENGINE=off") == 0;
  }
  return loaded && !off;
}

#define STRICT(condition) CHECK((condition) || !is_exact())

class Thread {
 public:
  explicit Thread(std::function<void()> body) : body_(std::move(body)) {
    CHECK(::pthread_create(&id_, nullptr, run, this) == 0);
  }
  pthread_t id() const { return id_; }
  void cancel() { CHECK(::pthread_cancel(id_) == 0); }
  // Whether it was cancelled. One that hangs fails.
  bool join() {
    timespec until;
    ::clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    void* result = nullptr;
    CHECK(::pthread_timedjoin_np(id_, &result, &until) == 0);
    return result == PTHREAD_CANCELED;
  }
  int kernel_id() {
    while (kernel_id_ == 0) ::sched_yield();
    return kernel_id_;
  }
  void wait_until_asleep() {
    char path[64], text[512];
    ::snprintf(path, sizeof path, "/proc/self/task/%d/stat", kernel_id());
    for (const long start = now_us(); now_us() < start + 300'000;) {  // one that only runs has begun by then
      const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
      if (fd < 0) return;
      const ssize_t size = ::read(fd, text, sizeof text - 1);
      ::close(fd);
      if (size <= 0) return;
      text[size] = '\0';
      const char* end = ::strrchr(text, ')');
      if (end != nullptr && end[2] == 'S') return;
      ::sched_yield();
    }
  }

 private:
  static void* run(void* argument) {
    auto* self = static_cast<Thread*>(argument);
    self->kernel_id_ = static_cast<int>(::syscall(SYS_gettid));
    self->body_();
    return nullptr;
  }
  std::function<void()> body_;
  std::atomic<int> kernel_id_{0};
  pthread_t id_;
};

using test_support::Jitter;

// The kernel's word, which the C library does not tell whole.
inline unsigned long signal_mask() {
  unsigned long mask = 0;
  CHECK(::syscall(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, &mask, sizeof mask) == 0);
  return mask;
}
inline constexpr unsigned long kLibcsSignals = 3ul << 31;

struct Ends {
  int in, out;
  explicit Ends(int flags = O_CLOEXEC) {
    int ends[2];
    CHECK(::pipe2(ends, flags) == 0);
    in = ends[0];
    out = ends[1];
  }
  ~Ends() {
    ::close(in);
    ::close(out);
  }
};

struct Sockets {
  int in, out;
  explicit Sockets(int type = SOCK_STREAM) {
    int ends[2];
    CHECK(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) == 0);
    in = ends[0];
    out = ends[1];
  }
  ~Sockets() {
    ::close(in);
    ::close(out);
  }
};

struct Listener {
  int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address = {};
  socklen_t length = sizeof(sa_family_t);
  explicit Listener(int backlog = 64) {
    address.sun_family = AF_UNIX;
    CHECK(::bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0);
    length = sizeof address;
    CHECK(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0);
    CHECK(::listen(fd, backlog) == 0);
  }
  ~Listener() { ::close(fd); }
  int connect() const {
    const int peer = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(::connect(peer, reinterpret_cast<const sockaddr*>(&address), length) == 0);
    return peer;
  }
};

struct EventSet {
  int event = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  int set = ::epoll_create1(EPOLL_CLOEXEC);
  explicit EventSet(unsigned how = 0) {
    epoll_event wanted = {};
    wanted.events = EPOLLIN | how;
    CHECK(::epoll_ctl(set, EPOLL_CTL_ADD, event, &wanted) == 0);
  }
  ~EventSet() {
    ::close(event);
    ::close(set);
  }
  void fire() const {
    const unsigned long one = 1;
    CHECK(::write(event, &one, 8) == 8);
  }
  bool wait(int ms) const {
    epoll_event found;
    return ::epoll_wait(set, &found, 1, ms) == 1;
  }
};

inline void set_nonblocking(int fd) { CHECK(::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK) == 0); }

inline void fill(int fd) {
  static const char bytes[4096] = {};
  const int flags = ::fcntl(fd, F_GETFL);
  CHECK(::fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0);
  while (::write(fd, bytes, sizeof bytes) > 0) {
  }
  while (::write(fd, bytes, 1) > 0) {
  }
  CHECK(::fcntl(fd, F_SETFL, flags) == 0);
}

}  // namespace scenario
