// Handlers, masks and alarms that are put back at the end of the scope.
#pragma once

#include <signal.h>
#include <sys/time.h>

namespace conformance {

class Handler {
 public:
  Handler(int signal, void (*handler)(int), int flags = 0) : signal_(signal) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = flags;
    ::sigaction(signal_, &action, &before_);
  }
  ~Handler() { ::sigaction(signal_, &before_, nullptr); }
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;

 private:
  int signal_;
  struct sigaction before_ {};
};

inline sigset_t set_of(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  return set;
}

inline sigset_t empty_set() {
  sigset_t set;
  sigemptyset(&set);
  return set;
}

inline sigset_t current_mask() {
  sigset_t set;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &set);
  return set;
}

inline bool is_pending(int signal) {
  sigset_t set;
  sigpending(&set);
  return sigismember(&set, signal) == 1;
}

class Blocked {
 public:
  explicit Blocked(int signal) {
    const sigset_t set = set_of(signal);
    ::pthread_sigmask(SIG_BLOCK, &set, &before_);
  }
  ~Blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  Blocked(const Blocked&) = delete;
  Blocked& operator=(const Blocked&) = delete;

 private:
  sigset_t before_;
};

// SIGALRM again and again, so that none can come too early to interrupt the call that the case is about.
class RepeatedAlarm {
 public:
  explicit RepeatedAlarm(int every_ms) {
    const itimerval timer{{0, every_ms * 1000}, {0, every_ms * 1000}};
    ::setitimer(ITIMER_REAL, &timer, nullptr);
  }
  ~RepeatedAlarm() { stop(); }
  RepeatedAlarm(const RepeatedAlarm&) = delete;
  RepeatedAlarm& operator=(const RepeatedAlarm&) = delete;
  static void stop() {
    const itimerval none{};
    ::setitimer(ITIMER_REAL, &none, nullptr);
  }

};

}  // namespace conformance
