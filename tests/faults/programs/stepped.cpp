// A handler that ends a call half-way, by siglongjmp or by cancelling its thread, at each instruction of it.
//
//   stepped CALL LEAVE SAMPLES    about so many instructions of the call named, which is left as LEAVE says, at equal
//                                 distances; the first is another in each process. 0: all of them
//
// With LEAVE "interrupt" the handler returns, and a wait that it found after its first sleep must fail with EINTR.
//
// For each there is a thread, which makes the call a mirror's business first. Afterwards its waits, and another
// thread's, must be what the kernel says, and every descriptor must have come back.
#include <pthread.h>
#include <setjmp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/timerfd.h>

#include "support/raw.hpp"
#include "support/stepper.hpp"
#include "support/watchdog.hpp"

using namespace scenario;

namespace {

const char* call_name = "";
const char* leave_name = "";
long step = 0;

#define HOLDS(condition)                          \
  do {                                            \
    if (!(condition)) fail(__LINE__, #condition); \
  } while (0)

[[noreturn]] void fail(int line, const char* condition) {
  ::dprintf(2, "line %d: %s does not hold (errno %d): %s left by %s at step %ld (%lx)\n", line, condition, errno,
            call_name, leave_name, step, Stepper::where());
  ::_exit(1);
}

// The descriptors of one thread.
struct Subject {
  static constexpr int kCount = 6;
  static constexpr int kBeyond = 700;
  pollfd fds[kCount];
  fd_set in;  // here, so that select() has it at the same address from wherever it is called
  int set = ::epoll_create1(0);
  bool beyond = false;  // a number that is larger than the table stands in the sets

  Subject() {
    for (pollfd& entry : fds) entry = {::eventfd(0, EFD_NONBLOCK), POLLIN, 0};
  }
  ~Subject() {
    for (const pollfd& entry : fds) ::close(entry.fd);
    ::close(set);
  }

  int poll(int timeout_ms = 0) { return ::poll(fds, kCount, timeout_ms); }
  int select(long us = 0) {
    FD_ZERO(&in);
    int highest = 0;
    for (const pollfd& entry : fds) {
      FD_SET(entry.fd, &in);
      if (entry.fd > highest) highest = entry.fd;
    }
    if (beyond) highest = kBeyond;
    if (beyond) FD_SET(kBeyond, &in);
    timeval time = {0, us};
    return ::select(highest + 1, &in, nullptr, nullptr, &time);
  }
  void put(int i) const {
    const unsigned long one = 1;
    HOLDS(::write(fds[i].fd, &one, sizeof one) == sizeof one);
  }
  void take(int i) const {
    unsigned long value;
    HOLDS(::read(fds[i].fd, &value, sizeof value) == sizeof value);
  }
  // The first descriptor gets ready in a while.
  void put_later(long us) {
    const int timer = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    const itimerspec once = {{0, 0}, {0, us * 1000}};
    HOLDS(::timerfd_settime(timer, 0, &once, nullptr) == 0);
    HOLDS(::dup2(timer, fds[0].fd) == fds[0].fd && ::close(timer) == 0);
  }
  // All are open and asked for input again; nothing happens by itself any more.
  void repair() {
    beyond = false;
    const itimerspec never = {};
    ::timerfd_settime(fds[0].fd, 0, &never, nullptr);  // EINVAL: it is none
    for (pollfd& entry : fds) {
      entry.events = POLLIN;
      if (entry.fd < 0 || ::fcntl(entry.fd, F_GETFD) < 0) entry.fd = ::eventfd(0, EFD_NONBLOCK);
    }
  }

  // The same as the kernel's own.
  void compare(int rounds = 3) {
    for (int i = 0; i < rounds; ++i) {
      pollfd own[kCount];
      ::memcpy(own, fds, sizeof own);
      const long expected = raw_poll(own, kCount);
      HOLDS(poll() == expected);
      for (int n = 0; n < kCount; ++n) HOLDS(fds[n].revents == own[n].revents);
    }
  }
  void compare_select() {
    pollfd own[kCount];
    ::memcpy(own, fds, sizeof own);
    const long expected = raw_poll(own, kCount);
    for (int i = 0; i < 3; ++i) HOLDS(select() == expected);
  }
};

// One call that is left: what comes before, and the call itself, in which nothing is an error.
struct Call {
  const char* name;
  void (*prepare)(Subject&);
  void (*make)(Subject&);
};

void warm(Subject& s) { s.compare(3); }
void warm_select(Subject& s) {
  for (int i = 0; i < 3; ++i) HOLDS(s.select() == 0);
}

const Call kCalls[] = {
    {"poll_quiet", warm, [](Subject& s) { s.poll(); }},
    {"poll_ready", [](Subject& s) { warm(s), s.put(1), s.put(4); }, [](Subject& s) { s.poll(); }},
    {"poll_first", [](Subject& s) { s.poll(); }, [](Subject& s) { s.poll(); }},
    {"poll_changed",
     [](Subject& s) {
       warm(s);
       s.fds[1].events = POLLOUT;
       HOLDS(::close(s.fds[2].fd) == 0);
       s.fds[2].fd = -1;
       s.put(3);
     },
     [](Subject& s) { s.poll(); }},
    {"poll_reused",
     [](Subject& s) {
       warm(s);
       const int fd = s.fds[1].fd;
       HOLDS(::close(fd) == 0 && ::eventfd(0, EFD_NONBLOCK) == fd);
       HOLDS(::dup2(s.fds[0].fd, s.fds[2].fd) == s.fds[2].fd);
       s.put(1);
     },
     [](Subject& s) { s.poll(); }},
    {"poll_asleep", [](Subject& s) { warm(s), s.put_later(9000); }, [](Subject& s) { s.poll(1000); }},
    {"poll_timeout", warm, [](Subject& s) { s.poll(6); }},
    {"select_quiet", warm_select, [](Subject& s) { s.select(); }},
    {"select_ready", [](Subject& s) { warm_select(s), s.put(2); }, [](Subject& s) { s.select(); }},
    {"select_first", [](Subject& s) { s.select(); }, [](Subject& s) { s.select(); }},
    // The size of the kernel's table is asked for.
    {"select_beyond", [](Subject& s) { s.beyond = true, s.select(); }, [](Subject& s) { s.select(); }},
    {"select_asleep", [](Subject& s) { warm_select(s), s.put_later(9000); }, [](Subject& s) { s.select(1'000'000); }},
    {"epoll_ctl",
     [](Subject& s) {
       epoll_event event = {EPOLLIN, {}};
       HOLDS(::epoll_ctl(s.set, EPOLL_CTL_ADD, s.fds[0].fd, &event) == 0);
     },
     [](Subject& s) {
       epoll_event event = {EPOLLIN, {}};
       ::epoll_ctl(s.set, EPOLL_CTL_ADD, s.fds[1].fd, &event);
       ::epoll_ctl(s.set, EPOLL_CTL_MOD, s.fds[0].fd, &event);
       ::epoll_ctl(s.set, EPOLL_CTL_DEL, s.fds[0].fd, &event);
     }},
    {"epoll_wait",
     [](Subject& s) {
       epoll_event event = {EPOLLIN, {}};
       HOLDS(::epoll_ctl(s.set, EPOLL_CTL_ADD, s.fds[0].fd, &event) == 0);
     },
     [](Subject& s) {
       epoll_event event;
       ::epoll_wait(s.set, &event, 1, 1);
     }},
    {"close", warm,
     [](Subject& s) {
       ::dup2(s.fds[0].fd, s.fds[1].fd);
       ::close(s.fds[1].fd);
     }},
    // The executable is looked at.
    {"execve", warm,
     [](Subject&) {
       char name[] = "passwd";
       char* words[] = {name, nullptr};
       ::execve("/etc/passwd", words, environ);
     }},
    // The object gives its descriptors back.
    {"setrlimit", warm,
     [](Subject&) {
       rlimit limit;
       ::getrlimit(RLIMIT_NOFILE, &limit);
       ::setrlimit(RLIMIT_NOFILE, &limit);
     }},
};

const Call* call = nullptr;
bool cancels = false, interrupts = false;
long handled_us = 0;  // when the handler ran that returns
long late_handlers = 0;
int quiet_pipe[2];
sigjmp_buf back;
volatile bool was_left = false;
int cleaned = 0;

void jump(int) {
  was_left = true;
  ::siglongjmp(back, 1);
}

void note_time(int) {
  was_left = true;
  handled_us = now_us();
}

// The request comes now, and a cancellation point after it.
void cancel_deferred(int) {
  was_left = true;
  HOLDS(::pthread_cancel(::pthread_self()) == 0);
  char byte;
  ::read(quiet_pipe[0], &byte, 1);
  HOLDS(!"a cancellation point was passed");
}

void cancel_asynchronous(int) {
  was_left = true;
  int before;
  ::pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &before);
  ::pthread_cancel(::pthread_self());
  HOLDS(!"the thread goes on");
}

// Everything that a wait may be asked, after what happened.
void check_waits(Subject& s) {
  s.compare();
  s.put(5);
  s.compare();
  s.compare_select();
  s.take(5);
  s.compare();
  const int fd = s.fds[5].fd;
  HOLDS(::close(fd) == 0);
  s.compare(2);
  const int again = ::eventfd(0, EFD_NONBLOCK);
  if (s.fds[1].fd > fd || again == fd) HOLDS(again == fd);
  s.fds[5].fd = again;
  s.compare(2);
}

void check_mask() {
  sigset_t mask;
  HOLDS(::sigprocmask(SIG_BLOCK, nullptr, &mask) == 0);
  for (int signal = 1; signal < 32; ++signal) HOLDS(::sigismember(&mask, signal) == 0);
}

void clean_up(void* subject) {
  ++cleaned;
  delete static_cast<Subject*>(subject);
}

[[gnu::noinline]] void make_stepped(Subject& s) {
  Stepper::begin(step);
  call->make(s);
  Stepper::end();
}

// A wait of 12 ms, of which the first 2 are the core's (KEV_VERIFY_USEC=2000). A handler that ran after that sleep must
// not be slept over by the next one.
void make_interrupted(Subject& s) {
  constexpr long kSleepUs = 4000;
  Stepper::begin(step);
  const int result = s.poll(12);
  const int error = errno;
  Stepper::end();
  const long ended = now_us();
  HOLDS(result == 0 || (result == -1 && error == EINTR && was_left));
  const long late = Stepper::first_after_a_sleep();
  if (was_left && step >= late && ended - handled_us >= kSleepUs) HOLDS(result == -1);
  if (was_left && step >= late) ++late_handlers;
}

void* thread_of_one_step(void*) {
  auto* s = new Subject;
  pthread_cleanup_push(clean_up, s);
  call->prepare(*s);
  if (interrupts) {
    make_interrupted(*s);
  } else if (cancels) {
    make_stepped(*s);
  } else if (sigsetjmp(back, 1) == 0) {
    make_stepped(*s);
  }
  check_mask();
  s->repair();
  check_waits(*s);
  pthread_cleanup_pop(1);
  return nullptr;
}

// No descriptor is there that was not before.
void check_open(const std::set<int>& before) {
  for (int fd : open_numbers()) {
    if (before.count(fd) != 0) continue;
    char path[64], name[64] = {};
    ::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (::readlink(path, name, sizeof name - 1) > 0) ::dprintf(2, "%d is %s\n", fd, name);
    HOLDS(!"every descriptor came back");
  }
}

// False: the call was over before.
bool leave_at(long at) {
  static Subject mine;
  step = at;
  was_left = false;
  cleaned = 0;
  pthread_t thread;
  HOLDS(::pthread_create(&thread, nullptr, thread_of_one_step, nullptr) == 0);
  void* result = nullptr;
  HOLDS(::pthread_join(thread, &result) == 0);
  HOLDS((result == PTHREAD_CANCELED) == (cancels && was_left));
  HOLDS(cleaned == 1);
  mine.compare(2);
  ++progress;
  return was_left;
}

}  // namespace

int main(int count, char** words) {
  CHECK(count == 4 && ::pipe2(quiet_pipe, O_NONBLOCK) == 0);
  for (const Call& candidate : kCalls)
    if (::strcmp(candidate.name, words[1]) == 0) call = &candidate;
  CHECK(call != nullptr);
  call_name = words[1];
  leave_name = words[2];
  const long samples = ::atol(words[3]);
  interrupts = ::strcmp(leave_name, "interrupt") == 0;
  cancels = !interrupts && ::strcmp(leave_name, "jump") != 0;
  Stepper::install(interrupts                                       ? note_time
                   : !cancels                                       ? jump
                   : ::strcmp(leave_name, "deferred_cancel") == 0 ? cancel_deferred
                                                                    : cancel_asynchronous);
  start_watchdog(15);
  leave_at(Stepper::kNever);
  leave_at(Stepper::kNever);
  const long steps = Stepper::learn();
  const long stride = samples == 0 ? 1 : steps / samples + 1;
  const std::set<int> open = open_numbers();
  long left = 0;
  for (long at = ::getpid() % stride; at < steps; at += stride) {
    left += leave_at(at) ? 1 : 0;
    check_open(open);
  }
  ::dprintf(1, "%s left by %s: %ld of %ld instructions\n", call_name, leave_name, left, steps);
  if (interrupts) ::dprintf(1, "%ld handlers ran after the first sleep\n", late_handlers);
  if (interrupts) HOLDS(Stepper::first_after_a_sleep() >= 0 && late_handlers > 0);
  return 0;
}
