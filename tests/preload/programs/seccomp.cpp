// Programs that install filters: from then on only the very calls that they make themselves may be made.
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/syscall.h>

#include <atomic>
#include <string>
#include <thread>

#include "support/process.hpp"
#include "support/watched.hpp"

using namespace scenario;

namespace {

constexpr unsigned kKill = SECCOMP_RET_KILL_PROCESS;

// For the calls in `numbers` one answer, for all others another.
std::vector<sock_filter> filter_of(const std::vector<long>& numbers, unsigned listed, unsigned others) {
  std::vector<sock_filter> code;
  code.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  for (const long number : numbers) {
    code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(number), 0, 1));
    code.push_back(BPF_STMT(BPF_RET | BPF_K, listed));
  }
  code.push_back(BPF_STMT(BPF_RET | BPF_K, others));
  return code;
}

enum class Way { prctl, syscall_seccomp, syscall_prctl, every_thread };

void install(const std::vector<sock_filter>& code, Way way) {
  sock_fprog filter = {static_cast<unsigned short>(code.size()), const_cast<sock_filter*>(code.data())};
  CHECK(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  switch (way) {
    case Way::prctl: CHECK(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0); break;
    case Way::syscall_seccomp: CHECK(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0); break;
    case Way::syscall_prctl:
      CHECK(::syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0);
      break;
    case Way::every_thread:
      CHECK(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) == 0);
      break;
  }
}

// What a poll loop, a fork and an exit make natively.
const std::vector<long> kLoop = {
    SYS_read, SYS_write, SYS_ppoll, SYS_pselect6, SYS_epoll_pwait, SYS_exit, SYS_exit_group, SYS_rt_sigreturn,
    SYS_close, SYS_fcntl,
#ifdef SYS_poll
    SYS_poll, SYS_select, SYS_epoll_wait,
#endif
};

void select_now(const Watched& watched, int expected) {
  for (int round = 0; round < 4; ++round) {
    fd_set in;
    FD_ZERO(&in);
    for (const pollfd& entry : watched.fds) FD_SET(entry.fd, &in);
    timeval time = {0, 0};
    CHECK(::select(watched.fds.back().fd + 1, &in, nullptr, nullptr, &time) == expected);
  }
}

void poll_under(Way way) {
  Watched watched;
  watched.exercise();
  select_now(watched, 0);
  install(filter_of(kLoop, SECCOMP_RET_ALLOW, kKill), way);
  watched.exercise();
  select_now(watched, 0);
  CHECK(watched.poll(20) == 0);
  errno = 0;
  CHECK(::close(999) == -1 && errno == EBADF);
  CHECK(::close(watched.fds[0].fd) == 0);
  CHECK(watched.poll(0) == 1 && watched.fds[0].revents == POLLNVAL);
  CHECK(::write(1, "goes on\n", 8) == 8);
}

}  // namespace

SCENARIO(prctl) { poll_under(Way::prctl); }
SCENARIO(syscall_seccomp) { poll_under(Way::syscall_seccomp); }
SCENARIO(syscall_prctl) { poll_under(Way::syscall_prctl); }

SCENARIO(strict) {
  Watched watched;
  watched.exercise();
  CHECK(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) == 0);
  // Strict mode has read, write, exit and sigreturn.
  watched.fire(0);
  watched.calm(0);
  ::write(1, "goes on\n", 8);
  ::syscall(SYS_exit, 0);
}

// Other threads are in the core as the filter comes over them.
SCENARIO(every_thread) {
  constexpr int kThreads = 6;
  static std::atomic<bool> stop{false};
  static std::atomic<long> rounds{0};
  std::thread threads[kThreads];
  for (auto& thread : threads)
    thread = std::thread([] {
      Watched own(24);
      for (int i = 0; !stop; ++i) {
        CHECK(own.poll(i % 3) == 0);
        ++rounds;
      }
    });
  while (rounds < 600) pause_us(100);
  Watched watched;
  watched.exercise();
  std::vector<long> allowed = kLoop;
  allowed.insert(allowed.end(), {SYS_futex, SYS_madvise, SYS_munmap, SYS_rt_sigprocmask, SYS_clock_nanosleep, SYS_mmap,
                                 SYS_mprotect});
  install(filter_of(allowed, SECCOMP_RET_ALLOW, kKill), Way::every_thread);
  const long before = rounds;
  while (rounds < before + 300) pause_us(100);
  watched.exercise();
  stop = true;
  for (auto& thread : threads) thread.join();
  watched.exercise();
}

// A filter that answers with an error in place of the calls that the core would like to make.
SCENARIO(denies) {
  Watched watched;
  watched.exercise();
  install(filter_of({SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_eventfd2, SYS_madvise, SYS_openat,
                     SYS_mmap},
                    SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_ALLOW),
          Way::prctl);
  watched.exercise();
  errno = 0;
  CHECK(::open("/dev/null", O_RDONLY) == -1 && errno == EPERM);
  CHECK(::epoll_create1(0) == -1 && errno == EPERM);
}

// A filtered process forks; the child may make no call of the object's either.
SCENARIO(forks_under_filter) {
  Watched watched;
  watched.exercise();
  std::vector<long> allowed = kLoop;
  allowed.insert(allowed.end(), {SYS_clone, SYS_wait4, SYS_set_robust_list, SYS_gettid, SYS_rt_sigprocmask});
#ifdef SYS_vfork
  allowed.push_back(SYS_vfork);
#endif
  install(filter_of(allowed, SECCOMP_RET_ALLOW, kKill), Way::prctl);
  for (int i = 0; i < 4; ++i) {
    const pid_t child = i % 2 == 0 ? ::fork() : static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    if (child == 0) {
      watched.exercise();
      ::close(watched.fds[1].fd);
      watched.poll(0);
      ::_exit(0);
    }
    expect_success(child);
    watched.exercise();
  }
}

// A child that is filtered, its parent that is not.
SCENARIO(filters_in_child) {
  Watched watched;
  watched.exercise();
  for (int i = 0; i < 5; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      poll_under(Way::prctl);
      ::_exit(0);
    }
    expect_success(child);
    watched.exercise();
  }
}

namespace {

[[gnu::noinline]] pid_t start_filtered(const std::vector<sock_filter>& code) {
  const pid_t child = ::vfork();
  if (child != 0) return child;
  install(code, Way::prctl);
  ::execl("/bin/true", "true", nullptr);
  ::_exit(9);
}

[[gnu::noinline]] pid_t close_filtered(const std::vector<sock_filter>& code) {
  const pid_t child = ::vfork();
  if (child != 0) return child;
  install(code, Way::prctl);
  for (int fd = 60; fd < 1024; ++fd)
    if (::close(fd) != -1 || errno != EBADF) ::_exit(4);
  ::_exit(::dup2(0, 1000) == 1000 && ::dup(0) > 0 ? 0 : 5);
}

// A child of the filtered child has memory of its own, and the filter.
[[gnu::noinline]] pid_t fork_filtered(const std::vector<sock_filter>& code, Watched& watched) {
  const pid_t child = ::vfork();
  if (child != 0) return child;
  install(code, Way::prctl);
  const pid_t grandchild = ::fork();
  if (grandchild == 0) {
    watched.exercise();
    ::_exit(0);
  }
  int status = -1;
  while (::waitpid(grandchild, &status, 0) < 0) {
  }
  ::_exit(status == 0 ? 0 : 6);
}

}  // namespace

// A sandboxing parent: the filter goes in between vfork and exec.
SCENARIO(filters_in_vfork_child) {
  Watched watched;
  watched.exercise();
  const std::vector<sock_filter> code = filter_of({SYS_ptrace}, kKill, SECCOMP_RET_ALLOW);
  const std::vector<sock_filter> no_epoll =
      filter_of({SYS_epoll_create1, SYS_epoll_ctl, SYS_eventfd2}, kKill, SECCOMP_RET_ALLOW);
  const std::vector<sock_filter> no_fcntl = filter_of({SYS_fcntl}, kKill, SECCOMP_RET_ALLOW);
  for (int i = 0; i < 5; ++i) {
    if (i < 2) {
      expect_success(close_filtered(no_fcntl));
      watched.exercise();
      expect_success(fork_filtered(no_epoll, watched));
      watched.exercise();
    }
    expect_success(start_filtered(code));
    watched.exercise();
  }
  for (int i = 0; i < 200; ++i) watched.expect({}, 1);
}

namespace {

long number_of(const std::string& name) {
  const struct {
    const char* name;
    long number;
  } known[] = {{"epoll_create1", SYS_epoll_create1}, {"epoll_ctl", SYS_epoll_ctl},
               {"io_uring_setup", 425},              {"eventfd2", SYS_eventfd2},
               {"timerfd_create", SYS_timerfd_create}, {"prctl", SYS_prctl},
               {"madvise", SYS_madvise},             {"getpid", SYS_getpid},
               {"ftruncate", SYS_ftruncate},         {"fallocate", SYS_fallocate}};
  for (const auto& entry : known)
    if (name == entry.name) return entry.number;
  CHECK(false);
  return -1;
}

}  // namespace

// launch kill|deny CALL PROGRAM ARGUMENTS...: the filter is there before the program starts.
SCENARIO(launch) {
  CHECK(arguments[0] != nullptr && arguments[1] != nullptr && arguments[2] != nullptr);
  const unsigned answer = ::strcmp(arguments[0], "kill") == 0 ? kKill : SECCOMP_RET_ERRNO | EPERM;
  const char* preload = ::getenv("TEST_PRELOAD");
  if (preload != nullptr) CHECK(::setenv("LD_PRELOAD", preload, 1) == 0);
  const std::vector<sock_filter> code = filter_of({number_of(arguments[1])}, answer, SECCOMP_RET_ALLOW);
  sock_fprog filter = {static_cast<unsigned short>(code.size()), const_cast<sock_filter*>(code.data())};
  CHECK(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  CHECK(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0);
  ::execv(arguments[2], arguments + 2);
  CHECK(false);
}

// What runs under an inherited filter: makes none of the calls that the filters kill for.
SCENARIO(plain_polls) {
  std::vector<pollfd> entries;
  int pipes[24][2];
  for (auto& pipe : pipes) {
    CHECK(::pipe(pipe) == 0);
    entries.push_back({pipe[0], POLLIN, 0});
    entries.push_back({pipe[1], POLLIN, 0});
  }
  for (int round = 0; round < 50; ++round) {
    CHECK(::write(pipes[5][1], "x", 1) == 1);
    CHECK(::poll(entries.data(), entries.size(), 1) == 1 && entries[10].revents == POLLIN);
    char byte;
    CHECK(::read(pipes[5][0], &byte, 1) == 1);
    CHECK(::poll(entries.data(), entries.size(), 0) == 0);
  }
  CHECK(::dup2(pipes[0][0], 300) == 300 && ::close(300) == 0);
  say("polls are right\n");
}

SCENARIO_MAIN
