// Wrong arguments to every interposed call, and errno where all is well.
#include <aio.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <threads.h>

#include <functional>

#include "support/process.hpp"
#include "support/watched.hpp"

using namespace scenario;

extern "C" {
int __poll(pollfd*, nfds_t, int) __attribute__((weak));
int __poll_chk(pollfd*, nfds_t, int, size_t);
int __ppoll_chk(pollfd*, nfds_t, const timespec*, const sigset_t*, size_t);
int __select(int, fd_set*, fd_set*, fd_set*, timeval*);
int __close(int);
int __dup2(int, int);
int __fcntl(int, int, ...);
// Not the header's, which is another name of aio_suspend64().
int plain_aio_suspend(const aiocb* const*, int, const timespec*) __asm__("aio_suspend");
int epoll_pwait2(int, epoll_event*, int, const timespec*, const sigset_t*) __attribute__((weak));
}

namespace {

template <typename T>
T* bad() {
  static volatile unsigned long address = 8;  // out of the compiler's sight
  return reinterpret_cast<T*>(address);
}

// Prints the result of `call` and errno, which stood at a value of no error before.
template <typename Call>
void show(const char* what, Call call) {
  errno = 1234;
  const long result = static_cast<long>(call());
  say("%s: %ld, errno %d\n", what, result, errno);
}

template <typename Call>
void repeated(const char* what, Call call) {
  for (int i = 0; i < 6; ++i) show(what, call);
}

}  // namespace

SCENARIO(closing) {
  show("close", [] { return ::close(-1); });
  show("close", [] { return ::close(9999); });
  show("__close", [] { return __close(-1); });
  show("close_range", [] { return ::close_range(5, 3, 0); });
  show("close_range", [] { return ::close_range(500, 600, 0xff00); });
  show("close_range", [] { return ::close_range(500, ~0u, 0); });
  show("syscall", [] { return ::syscall(SYS_close, -1); });
  show("syscall", [] { return ::syscall(SYS_close_range, 5, 3, 0); });
  show("syscall", [] { return ::syscall(99999); });
  DIR* const volatile none = nullptr;
  show("closedir", [&] { return ::closedir(none); });
  show("freopen", [] {
    FILE* stream = ::fopen("/dev/null", "r");
    return ::freopen("/nonexistent/x", "r", stream) == nullptr ? -1 : 0;
  });
  show("fclose", [] {
    FILE* stream = ::fopen("/dev/null", "r");
    ::close(::fileno(stream));
    return ::fclose(stream);
  });
  show("sendmsg", [] { return ::sendmsg(-1, bad<msghdr>(), 0); });
  show("sendmsg", [] { return ::sendmsg(0, bad<msghdr>(), 0); });
  show("sendmmsg", [] { return ::sendmmsg(-1, bad<mmsghdr>(), 1, 0); });
}

SCENARIO(making) {
  show("dup", [] { return ::dup(-1); });
  show("dup2", [] { return ::dup2(-1, 5); });
  show("dup2", [] { return ::dup2(0, -1); });
  show("dup2", [] { return ::dup2(0, 1 << 30); });
  show("dup2", [] { return ::dup2(999, 999); });
  show("__dup2", [] { return __dup2(-1, 3); });
  show("dup3", [] { return ::dup3(0, 0, 0); });
  show("dup3", [] { return ::dup3(0, 5, 0xffff); });
  show("dup3", [] { return ::dup3(-1, 5, 0); });
  show("fcntl", [] { return ::fcntl(-1, F_GETFD); });
  show("fcntl", [] { return ::fcntl(0, 99999); });
  show("fcntl", [] { return ::fcntl(0, F_DUPFD, -1); });
  show("fcntl", [] { return ::fcntl(0, F_DUPFD, 1 << 30); });
  show("fcntl", [] { return ::fcntl(-1, F_DUPFD_CLOEXEC, 0); });
  show("fcntl", [] { return ::fcntl(0, F_GETLK, bad<flock>()); });
  show("__fcntl", [] { return __fcntl(-1, F_GETFD); });
  show("open", [] { return ::open("/nonexistent/x", O_RDONLY); });
  show("open", [] { return ::open(bad<char>(), O_RDONLY); });
  show("open64", [] { return ::open64("/etc/passwd/x", O_RDONLY); });
  show("openat", [] { return ::openat(-1, "x", O_RDONLY); });
  show("openat64", [] { return ::openat64(0, "x", O_RDONLY); });
  show("creat", [] { return ::creat("/nonexistent/x", 0600); });
  show("fopen", [] { return ::fopen("/nonexistent/x", "r") == nullptr ? -1 : 0; });
  show("fopen", [] { return ::fopen("/dev/null", "wrong") == nullptr ? -1 : 0; });
  show("socket", [] { return ::socket(9999, SOCK_STREAM, 0); });
  show("socketpair", [] { return ::socketpair(AF_INET, SOCK_STREAM, 0, bad<int>()); });
  show("socketpair", [] { return ::socketpair(AF_UNIX, SOCK_STREAM, 0, bad<int>()); });
  show("accept", [] { return ::accept(-1, nullptr, nullptr); });
  show("accept", [] { return ::accept(0, nullptr, nullptr); });
  show("accept4", [] { return ::accept4(0, nullptr, nullptr, 0xffff); });
  show("pipe", [] { return ::pipe(bad<int>()); });
  show("pipe2", [] {
    int fds[2];
    return ::pipe2(fds, 0xffff);
  });
  show("eventfd", [] { return ::eventfd(0, 0xffff); });
  show("timerfd_create", [] { return ::timerfd_create(9999, 0); });
  show("signalfd", [] { return ::signalfd(0, bad<sigset_t>(), 0); });
  show("inotify_init1", [] { return ::inotify_init1(0xffff); });
  show("memfd_create", [] { return ::memfd_create("x", 0xffff); });
  show("memfd_create", [] { return ::memfd_create(bad<char>(), 0); });
  show("epoll_create", [] { return ::epoll_create(0); });
  show("epoll_create1", [] { return ::epoll_create1(0xffff); });
  show("prctl", [] { return ::prctl(99999, 0, 0, 0, 0); });
  show("prctl", [] { return ::prctl(PR_SET_NAME, bad<char>(), 0, 0, 0); });
}

// The joins return their error, and leave errno alone.
SCENARIO(libcs_waits) {
  int ends[2];
  CHECK(::pipe(ends) == 0);
  char byte;
  aiocb request = {};
  request.aio_fildes = ends[0];
  request.aio_buf = &byte;
  request.aio_nbytes = 1;
  request.aio_sigevent.sigev_notify = SIGEV_NONE;
  CHECK(::aio_read(&request) == 0);
  const aiocb* const list[] = {&request};
  const timespec no_time = {0, 0}, short_time = {0, 1'000'000};
  for (const timespec* time : {&no_time, &short_time}) {
    show("aio_suspend", [&] { return ::aio_suspend(list, 1, time); });
    show("plain aio_suspend", [&] { return plain_aio_suspend(list, 1, time); });
  }
  show("aio_suspend", [&] { return ::aio_suspend(list, -1, nullptr); });
  show("plain aio_suspend", [&] { return plain_aio_suspend(list, -1, nullptr); });
  show("aio_suspend", [&] { return ::aio_suspend(list, 0, &no_time); });
  CHECK(::write(ends[1], "x", 1) == 1);
  show("aio_suspend", [&] { return ::aio_suspend(list, 1, nullptr); });
  show("plain aio_suspend", [&] { return plain_aio_suspend(list, 1, nullptr); });

  sem_t semaphore;
  ::sem_init(&semaphore, 0, 1);
  const timespec bad_time = {0, 1'000'000'000};
  show("sem_clockwait", [&] { return ::sem_clockwait(&semaphore, CLOCK_PROCESS_CPUTIME_ID, &no_time); });
  show("sem_clockwait", [&] { return ::sem_clockwait(&semaphore, CLOCK_MONOTONIC, &no_time); });
  show("sem_clockwait", [&] { return ::sem_clockwait(&semaphore, CLOCK_MONOTONIC, &no_time); });
  show("sem_clockwait", [&] { return ::sem_clockwait(&semaphore, CLOCK_REALTIME, &bad_time); });

  show("pthread_join", [] { return ::pthread_join(::pthread_self(), nullptr); });
  show("thrd_join", [] { return ::thrd_join(::thrd_current(), nullptr); });
  pthread_t thread;
  CHECK(::pthread_create(&thread, nullptr, [](void*) -> void* { for (;;) ::pause(); }, nullptr) == 0);
  ::pthread_detach(thread);
  show("pthread_join", [&] { return ::pthread_join(thread, nullptr); });
  show("thrd_join", [&] { return ::thrd_join(thread, nullptr); });
  show("both", [] {
    pthread_t ended;
    thrd_t ended_too;
    void* first = nullptr;
    int second = 0;
    CHECK(::pthread_create(&ended, nullptr, [](void*) -> void* { return &::stdout; }, nullptr) == 0);
    CHECK(::thrd_create(&ended_too, [](void*) { return 12; }, nullptr) == thrd_success);
    errno = 1234;
    const bool joined = ::pthread_join(ended, &first) == 0 && ::thrd_join(ended_too, &second) == thrd_success;
    return joined && first == &::stdout ? second : -1;
  });
}

SCENARIO(epoll) {
  const int set = ::epoll_create1(0);
  const int fd = ::eventfd(0, 0);
  const volatile int minus_one = -1;
  epoll_event event = {EPOLLIN, {}};
  epoll_event* good = &event;
  show("ctl", [&] { return ::epoll_ctl(-1, EPOLL_CTL_ADD, fd, good); });
  show("ctl", [&] { return ::epoll_ctl(fd, EPOLL_CTL_ADD, set, good); });
  show("ctl", [&] { return ::epoll_ctl(set, EPOLL_CTL_ADD, -1, good); });
  show("ctl", [&] { return ::epoll_ctl(set, EPOLL_CTL_ADD, set, good); });
  show("ctl", [&] { return ::epoll_ctl(set, 77, fd, good); });
  show("ctl", [&] { return ::epoll_ctl(set, EPOLL_CTL_MOD, fd, good); });
  show("ctl", [&] { return ::epoll_ctl(set, EPOLL_CTL_DEL, fd, nullptr); });
  show("ctl", [&] { return ::epoll_ctl(set, EPOLL_CTL_ADD, fd, bad<epoll_event>()); });
  show("ctl", [&] { return ::epoll_ctl(set, EPOLL_CTL_ADD, fd, good); });
  show("ctl", [&] { return ::epoll_ctl(set, EPOLL_CTL_ADD, fd, good); });
  show("ctl", [&] { return ::epoll_ctl(set, EPOLL_CTL_ADD, ::open("/etc/passwd", O_RDONLY), good); });
  show("wait", [&] { return ::epoll_wait(-1, good, 1, 0); });
  show("wait", [&] { return ::epoll_wait(fd, good, 1, 0); });
  show("wait", [&] { return ::epoll_wait(set, good, 0, 0); });
  show("wait", [&] { return ::epoll_wait(set, good, minus_one, 0); });
  show("wait", [&] { return ::epoll_wait(set, good, 1, 0); });
  CHECK(::eventfd_write(fd, 1) == 0);
  show("wait", [&] { return ::epoll_wait(set, bad<epoll_event>(), 1, 0); });
  show("wait", [&] { return ::epoll_wait(set, good, 1, 0); });
  show("pwait", [&] { return ::epoll_pwait(set, good, 0, 0, nullptr); });
  show("pwait", [&] { return ::epoll_pwait(set, good, 1, 0, bad<sigset_t>()); });
  show("pwait", [&] { return ::epoll_pwait(set, good, 1, 0, nullptr); });
  if (epoll_pwait2 != nullptr) {
    timespec wrong = {-1, 0}, none = {0, 0};
    show("pwait2", [&] { return epoll_pwait2(set, good, 1, &wrong, nullptr); });
    show("pwait2", [&] { return epoll_pwait2(set, good, 1, bad<timespec>(), nullptr); });
    show("pwait2", [&] { return epoll_pwait2(-1, good, 1, &none, nullptr); });
    show("pwait2", [&] { return epoll_pwait2(set, good, 1, &none, nullptr); });
  }
}

// From the first call on, and after the array had been good for long.
SCENARIO(polls) {
  repeated("EFAULT", [] { return ::poll(bad<pollfd>(), 40, 0); });
  repeated("EFAULT", [] { return ::ppoll(bad<pollfd>(), 40, nullptr, nullptr); });
  repeated("EINVAL", [] { return ::poll(bad<pollfd>(), 1u << 31, 0); });
  const volatile nfds_t huge = ~nfds_t{0} / 2;
  repeated("EINVAL", [&] { return ::poll(bad<pollfd>(), huge, 0); });
  repeated("none", [] { return ::poll(nullptr, 0, 0); });
  const size_t bytes = 8192;
  char* pages = static_cast<char*>(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  CHECK(pages != MAP_FAILED);
  Watched watched;
  auto* array = reinterpret_cast<pollfd*>(pages + 4096 - 40 * sizeof(pollfd));
  for (unsigned i = 0; i < 40; ++i) array[i] = watched.fds[i];
  repeated("good", [&] { return ::poll(array, 40, 0); });
  watched.fire(1);
  repeated("one", [&] { return ::poll(array, 40, 0); });
  timespec wrong = {0, 1'000'000'000}, negative = {-1, 0}, none = {0, 0};
  repeated("timeout", [&] { return ::ppoll(array, 40, &wrong, nullptr); });
  repeated("timeout", [&] { return ::ppoll(array, 40, &negative, nullptr); });
  repeated("mask", [&] { return ::ppoll(array, 40, &none, bad<sigset_t>()); });
  repeated("good", [&] { return ::ppoll(array, 40, &none, nullptr); });
  if (__poll != nullptr) repeated("good", [&] { return __poll(array, 40, 0); });
  repeated("good", [&] { return __poll_chk(array, 40, 0, 40 * sizeof(pollfd)); });
  repeated("good", [&] { return __ppoll_chk(array, 40, &none, nullptr, 40 * sizeof(pollfd)); });
  watched.calm(1);
  // The end of the array is no memory any more.
  CHECK(::mprotect(pages + 4096, 4096, PROT_NONE) == 0);
  repeated("reaches beyond", [&] { return ::poll(array, 41, 0); });
}

SCENARIO(selects) {
  Watched watched;
  const int count = watched.fds.back().fd + 1;
  fd_set in;
  auto fill = [&] {
    FD_ZERO(&in);
    for (const pollfd& entry : watched.fds) FD_SET(entry.fd, &in);
  };
  timeval none = {0, 0}, negative = {-1, 0}, odd = {0, 2'000'000};
  timeval cut = {0, 3'600'000'000};  // of which newer C libraries take 32 bits
  timespec no_time = {0, 0}, wrong = {0, 1'000'000'000};
  auto each = [&](const char* what, auto call) {
    for (int i = 0; i < 6; ++i) {
      fill();
      none = {0, 0};
      odd = {0, 2'000'000};
      cut = {0, 3'600'000'000};
      show(what, call);
    }
  };
  each("EFAULT", [&] { return ::select(count, bad<fd_set>(), nullptr, nullptr, &none); });
  each("EFAULT", [&] { return ::select(count, &in, bad<fd_set>(), nullptr, &none); });
  each("EINVAL", [&] { return ::select(-1, &in, nullptr, nullptr, &none); });
  each("good", [&] { return ::select(count, &in, nullptr, nullptr, &none); });
  each("good", [&] { return __select(count, &in, nullptr, nullptr, &none); });
  each("negative", [&] { return ::select(count, &in, nullptr, nullptr, &negative); });
  each("mask", [&] { return ::pselect(count, &in, nullptr, nullptr, &no_time, bad<sigset_t>()); });
  each("timeout", [&] { return ::pselect(count, &in, nullptr, nullptr, &wrong, nullptr); });
  each("good", [&] { return ::pselect(count, &in, nullptr, nullptr, &no_time, nullptr); });
  watched.fire(3);
  each("good", [&] { return ::select(count, &in, nullptr, nullptr, &odd); });
  each("an hour of microseconds", [&] { return ::select(count, &in, nullptr, nullptr, &cut); });
  watched.calm(3);
  CHECK(::close(watched.fds[5].fd) == 0);
  each("EBADF", [&] { return ::select(count, &in, nullptr, nullptr, &none); });
}

namespace {

// A process and its result: the call may not return.
void in_child(const char* what, const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    ::_exit(0);
  }
  int status = 0;
  CHECK(::waitpid(child, &status, 0) == child);
  say("%s: ends with %x\n", what, status);
}

}  // namespace

// The checked forms end the program.
SCENARIO(overflows) {
  struct rlimit none = {0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  Watched watched;
  ::close(2);
  ::open("/dev/null", O_WRONLY);
  in_child("__poll_chk", [&] { __poll_chk(watched.fds.data(), 40, 0, 39 * sizeof(pollfd)); });
  timespec no_time = {0, 0};
  in_child("__ppoll_chk",
           [&] { __ppoll_chk(watched.fds.data(), 40, &no_time, nullptr, 39 * sizeof(pollfd)); });
}

// No successful call touches errno.
SCENARIO(success) {
  Watched watched;
  watched.exercise();
  watched.fire(4);
  repeated("poll", [&] { return watched.poll(0); });
  repeated("poll", [&] { return watched.poll(10); });
  watched.calm(4);
  repeated("poll", [&] { return watched.poll(0); });
  repeated("poll", [&] { return watched.poll(8); });
  Watched fresh;
  repeated("poll", [&] { return fresh.poll(0); });
  show("close", [&] { return ::close(fresh.fds[0].fd); });
  show("open", [&] { return ::open("/dev/null", O_RDONLY); });
  repeated("poll", [&] { return fresh.poll(0); });
  show("dup2", [&] { return ::dup2(0, 400); });
  show("dup2", [&] { return ::dup2(fresh.fds[1].fd, fresh.fds[2].fd) >= 0 ? 0 : -1; });
  repeated("poll", [&] { return fresh.poll(0); });
  show("close_range", [] { return ::close_range(300, 500, 0); });
  show("closefrom", [] {
    ::closefrom(600);
    return 0;
  });
  repeated("poll", [&] { return fresh.poll(0); });
  show("epoll_create1", [] { return ::epoll_create1(0) < 0; });
  show("pipe", [] {
    int fds[2];
    return ::pipe(fds);
  });
  show("fopen", [] {
    FILE* stream = ::fopen("/dev/null", "r");
    return stream == nullptr ? -1 : ::fclose(stream);
  });
  show("fclose of memory", [] {
    char buffer[16];
    FILE* stream = ::fmemopen(buffer, sizeof buffer, "w");
    return stream == nullptr ? -1 : ::fclose(stream);
  });
  show("prctl", [] { return ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); });
  show("syscall", [] { return ::syscall(SYS_close, ::syscall(SYS_dup, 0)); });
  show("fork", [&] {
    const pid_t child = ::fork();
    if (child == 0) {
      const bool kept = errno == 1234;
      const bool right = fresh.poll(0) == 0 && errno == 1234;
      ::_exit(kept && right ? 0 : 1);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    return status;
  });
  show("vfork", [] {
    const pid_t child = ::vfork();
    if (child == 0) ::_exit(0);
    int status = -1;
    ::waitpid(child, &status, 0);
    return status;
  });
  // At the descriptor limit, where the object gives way.
  rlimit limit;
  CHECK(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = 260;
  CHECK(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  bool kept = true;
  for (;;) {
    errno = 1234;
    if (::eventfd(0, 0) < 0) break;
    kept = kept && errno == 1234;
    fresh.poll(0);
    kept = kept && errno == 1234;
  }
  say("to the limit: %d, errno %d\n", kept, errno);
}

SCENARIO_MAIN
