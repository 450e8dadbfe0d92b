// Threads that are cancelled: where, what they take with them, and what runs on their way out.
//
// The C library itself loses what a cancelled call had taken; what must not happen under the object alone is a STRICT
// check.
#include <aio.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <threads.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "support/process.hpp"
#include "support/watched.hpp"

using namespace scenario;

namespace {

bool is_exact() {
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

class Jitter {
 public:
  void pass(unsigned most) {
    state_ = state_ * 1664525u + 1013904223u;
    for (volatile unsigned i = (state_ >> 8) % most; i > 0;) i = i - 1;
  }

 private:
  unsigned state_ = 4711;
};

// The kernel's word, which the C library does not tell whole.
unsigned long signal_mask() {
  unsigned long mask = 0;
  CHECK(::syscall(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, &mask, sizeof mask) == 0);
  return mask;
}
constexpr unsigned long kLibcsSignals = 3ul << 31;

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

void set_nonblocking(int fd) { CHECK(::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK) == 0); }

void fill(int fd) {
  static const char bytes[4096] = {};
  const int flags = ::fcntl(fd, F_GETFL);
  CHECK(::fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0);
  while (::write(fd, bytes, sizeof bytes) > 0) {
  }
  while (::write(fd, bytes, 1) > 0) {
  }
  CHECK(::fcntl(fd, F_SETFL, flags) == 0);
}

}  // namespace

// ---- Where threads are cancelled ----

namespace {

struct Point {
  const char* name;
  void (*wait)();  // for ever
};

Ends* empty_pipe;
Ends* full_pipe;
Sockets* empty_sockets;
Sockets* full_sockets;
Listener* listener;
Listener* busy_listener;
EventSet* quiet_set;
std::string fifo, locked;
int message_queue = -1;
int locked_fd = -1;
mqd_t posix_queue = -1;
pid_t child = 0;

void make_waits() {
  empty_pipe = new Ends;
  full_pipe = new Ends;
  fill(full_pipe->out);
  empty_sockets = new Sockets;
  full_sockets = new Sockets;
  fill(full_sockets->out);
  listener = new Listener;
  busy_listener = new Listener(0);
  busy_listener->connect();
  quiet_set = new EventSet;
  fifo = "/tmp/kev-test-fifo-" + std::to_string(::getpid());
  CHECK(::mkfifo(fifo.c_str(), 0600) == 0);
  message_queue = ::msgget(IPC_PRIVATE, 0600);
  CHECK(message_queue >= 0);
  locked = "/tmp/kev-test-lock-" + std::to_string(::getpid());
  // The holder of the lock is a child, which also is waited for.
  int told[2];
  CHECK(::pipe(told) == 0);
  child = ::fork();
  if (child == 0) {
    const int fd = ::open(locked.c_str(), O_RDWR | O_CREAT, 0600);
    CHECK(::lockf(fd, F_TLOCK, 0) == 0);
    CHECK(::write(told[1], "x", 1) == 1);
    for (;;) ::pause();
  }
  char byte;
  CHECK(::read(told[0], &byte, 1) == 1);
  locked_fd = ::open(locked.c_str(), O_RDWR | O_CLOEXEC);
  CHECK(locked_fd >= 0);
  const std::string name = "/kev-test-" + std::to_string(::getpid());
  mq_attr room = {};
  room.mq_maxmsg = 1;
  room.mq_msgsize = 16;
  posix_queue = ::mq_open(name.c_str(), O_RDWR | O_CREAT, 0600, &room);
  if (posix_queue >= 0) ::mq_unlink(name.c_str());
}

void drop_waits() {
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::unlink(fifo.c_str());
  ::unlink(locked.c_str());
  ::msgctl(message_queue, IPC_RMID, nullptr);
}

char buffer[4096];
sigset_t full_mask() {
  sigset_t mask;
  ::memset(&mask, 0xff, sizeof mask);
  return mask;
}

#define WAITS(name, call) {name, [] { call; }}
const Point kPoints[] = {
    WAITS("read", ::read(empty_pipe->in, buffer, 1)),
    WAITS("readv", ([] { iovec part = {buffer, 1}; return ::readv(empty_pipe->in, &part, 1); }())),
    WAITS("write", ::write(full_pipe->out, buffer, 1)),
    WAITS("writev", ([] { iovec part = {buffer, 1}; return ::writev(full_pipe->out, &part, 1); }())),
    WAITS("splice", ::splice(empty_pipe->in, nullptr, full_pipe->out, nullptr, 1, 0)),
    WAITS("tee", ::tee(empty_pipe->in, full_pipe->out, 1, 0)),
    WAITS("recv", ::recv(empty_sockets->in, buffer, 1, 0)),
    WAITS("recvfrom", ::recvfrom(empty_sockets->in, buffer, 1, 0, nullptr, nullptr)),
    WAITS("recvmsg", ([] {
            iovec part = {buffer, 1};
            msghdr message = {};
            message.msg_iov = &part;
            message.msg_iovlen = 1;
            return ::recvmsg(empty_sockets->in, &message, 0);
          }())),
    WAITS("recvmmsg", ([] {
            iovec part = {buffer, 1};
            mmsghdr message = {};
            message.msg_hdr.msg_iov = &part;
            message.msg_hdr.msg_iovlen = 1;
            return ::recvmmsg(empty_sockets->in, &message, 1, 0, nullptr);
          }())),
    WAITS("send", ::send(full_sockets->out, buffer, 1, 0)),
    WAITS("sendto", ::sendto(full_sockets->out, buffer, 1, 0, nullptr, 0)),
    WAITS("accept", ::accept(listener->fd, nullptr, nullptr)),
    WAITS("accept4", ::accept4(listener->fd, nullptr, nullptr, SOCK_CLOEXEC)),
    WAITS("connect", busy_listener->connect(); busy_listener->connect()),
    WAITS("open", ::open(fifo.c_str(), O_RDONLY)),
    WAITS("openat", ::openat(AT_FDCWD, fifo.c_str(), O_WRONLY)),
    WAITS("creat", ::creat(fifo.c_str(), 0600)),
    WAITS("poll", ::poll(nullptr, 0, -1)),
    WAITS("ppoll", ::ppoll(nullptr, 0, nullptr, nullptr)),
    WAITS("ppoll with a full mask",
          ([] { sigset_t mask = full_mask(); return ::ppoll(nullptr, 0, nullptr, &mask); }())),
    WAITS("select", ::select(0, nullptr, nullptr, nullptr, nullptr)),
    WAITS("pselect", ::pselect(0, nullptr, nullptr, nullptr, nullptr, nullptr)),
    WAITS("pselect with a full mask",
          ([] { sigset_t mask = full_mask(); return ::pselect(0, nullptr, nullptr, nullptr, nullptr, &mask); }())),
    WAITS("epoll_wait", quiet_set->wait(-1)),
    WAITS("epoll_pwait", ([] { epoll_event found; return ::epoll_pwait(quiet_set->set, &found, 1, -1, nullptr); }())),
    WAITS("epoll_pwait with a full mask", ([] {
            epoll_event found;
            sigset_t mask = full_mask();
            return ::epoll_pwait(quiet_set->set, &found, 1, -1, &mask);
          }())),
    WAITS("pause", ::pause()),
    WAITS("sleep", ::sleep(100)),
    WAITS("usleep", ::usleep(100'000'000)),
    WAITS("nanosleep", ([] { timespec time = {100, 0}; return ::nanosleep(&time, &time); }())),
    WAITS("clock_nanosleep",
          ([] { timespec time = {100, 0}; return ::clock_nanosleep(CLOCK_MONOTONIC, 0, &time, nullptr); }())),
    WAITS("waitpid", ::waitpid(child, nullptr, 0)),
    WAITS("wait", ::wait(nullptr)),
    WAITS("waitid", ([] { siginfo_t info; return ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED); }())),
    WAITS("sigsuspend", ([] { sigset_t mask; sigemptyset(&mask); return ::sigsuspend(&mask); }())),
    WAITS("sigsuspend with a full mask", ([] { sigset_t mask = full_mask(); return ::sigsuspend(&mask); }())),
    WAITS("sigwait", ([] {
            sigset_t set;
            int taken;
            sigemptyset(&set);
            sigaddset(&set, SIGUSR2);
            return ::sigwait(&set, &taken);
          }())),
    WAITS("sigwaitinfo", ([] {
            sigset_t set;
            siginfo_t info;
            sigemptyset(&set);
            sigaddset(&set, SIGUSR2);
            return ::sigwaitinfo(&set, &info);
          }())),
    WAITS("sigtimedwait", ([] {
            sigset_t set;
            siginfo_t info;
            timespec time = {100, 0};
            sigemptyset(&set);
            sigaddset(&set, SIGUSR2);
            return ::sigtimedwait(&set, &info, &time);
          }())),
    WAITS("msgrcv", ::msgrcv(message_queue, buffer, 8, 0, 0)),
    WAITS("fcntl", ([] {
            struct flock lock = {};
            lock.l_type = F_WRLCK;
            return ::fcntl(locked_fd, F_SETLKW, &lock);
          }())),
    WAITS("lockf", ::lockf(locked_fd, F_LOCK, 0)),
    WAITS("mq_receive", ::mq_receive(posix_queue, buffer, sizeof buffer, nullptr)),
    WAITS("pthread_testcancel", for (;;) ::pthread_testcancel()),
};

// Not the header's, which is another name of aio_suspend64().
extern "C" int plain_aio_suspend(const aiocb* const*, int, const timespec*) __asm__("aio_suspend");

// The C library's own.
pthread_mutex_t mutex;
pthread_cond_t never_signalled = PTHREAD_COND_INITIALIZER;
sem_t never_posted;
FILE* quiet_stream;
aiocb never_read;
const Point kLibcsPoints[] = {
    {"pthread_cond_wait",
     [] {
       CHECK(::pthread_mutex_lock(&mutex) == 0);
       pthread_cleanup_push([](void*) { CHECK(::pthread_mutex_unlock(&mutex) == 0); }, nullptr);
       for (;;) ::pthread_cond_wait(&never_signalled, &mutex);
       pthread_cleanup_pop(0);
     }},
    {"sem_wait", [] { ::sem_wait(&never_posted); }},
    {"fgets", [] { ::fgets(buffer, sizeof buffer, quiet_stream); }},
    {"pthread_join",
     [] {
       static pthread_t other;
       ::pthread_create(&other, nullptr, [](void*) -> void* { for (;;) ::pause(); }, nullptr);
       pthread_cleanup_push(
           [](void*) {
             CHECK(::pthread_cancel(other) == 0);
             void* result;
             CHECK(::pthread_join(other, &result) == 0 && result == PTHREAD_CANCELED);
           },
           nullptr);
       ::pthread_join(other, nullptr);
       pthread_cleanup_pop(0);
     }},
    {"thrd_join",
     [] {
       static thrd_t other;
       ::thrd_create(&other, [](void*) -> int { for (;;) ::pause(); }, nullptr);
       pthread_cleanup_push(
           [](void*) {
             CHECK(::pthread_cancel(other) == 0);
             CHECK(::thrd_join(other, nullptr) == thrd_success);
           },
           nullptr);
       ::thrd_join(other, nullptr);
       pthread_cleanup_pop(0);
     }},
    {"sem_clockwait",
     [] {
       timespec until;
       ::clock_gettime(CLOCK_MONOTONIC, &until);
       until.tv_sec += 1000;
       ::sem_clockwait(&never_posted, CLOCK_MONOTONIC, &until);
     }},
    {"aio_suspend", [] { const aiocb* const list[] = {&never_read}; ::aio_suspend(list, 1, nullptr); }},
    {"plain aio_suspend", [] { const aiocb* const list[] = {&never_read}; plain_aio_suspend(list, 1, nullptr); }},
};

void read_by_aio(aiocb& request, int fd) {
  request.aio_fildes = fd;
  request.aio_buf = buffer;
  request.aio_nbytes = 1;
  request.aio_sigevent.sigev_notify = SIGEV_NONE;
  CHECK(::aio_read(&request) == 0);
}

void make_libcs_waits() {
  pthread_mutexattr_t checks;
  ::pthread_mutexattr_init(&checks);
  ::pthread_mutexattr_settype(&checks, PTHREAD_MUTEX_ERRORCHECK);
  ::pthread_mutex_init(&mutex, &checks);
  ::sem_init(&never_posted, 0, 0);
  quiet_stream = ::fdopen((new Ends)->in, "r");
  read_by_aio(never_read, (new Ends)->in);
}

enum class When { before, early, asleep };

void cancel_in(const Point& point, When when) {
  Thread thread([&] {
    if (when == When::before) CHECK(::pthread_cancel(::pthread_self()) == 0);
    point.wait();
    CHECK(!"cancelled");
  });
  if (when == When::asleep) {
    thread.wait_until_asleep();
    pause_us(300);
  }
  if (when != When::before) thread.cancel();
  if (!thread.join()) say("%s: not cancelled\n", point.name);
}

}  // namespace

SCENARIO(every_point) {
  make_waits();
  for (const Point& point : kPoints) {
    if (posix_queue < 0 && ::strncmp(point.name, "mq_", 3) == 0) continue;
    ::alarm(20);
    for (const When when : {When::before, When::early, When::asleep, When::asleep}) {
      // The C library alone leaves its signal blocked by such a mask.
      if (!is_exact() && when != When::before && ::strstr(point.name, "full mask") != nullptr) continue;
      ::setenv("KEV_TEST_POINT", point.name, 1);
      cancel_in(point, when);
    }
  }
  drop_waits();
  say("all\n");
}

// With our handler in front of the C library's from the first cancellation on, and before it.
SCENARIO(libcs_points) {
  make_libcs_waits();
  for (int round = 0; round < 40; ++round)
    for (const Point& point : kLibcsPoints)
      for (const When when : {When::asleep, When::early, When::before}) cancel_in(point, when);
  say("all\n");
}

namespace {

// With a request pending, and what is waited for there: the thread ends, and has taken nothing.
template <typename Call>
void ends_before(const char* name, Call call) {
  Thread thread([&] {
    CHECK(::pthread_cancel(::pthread_self()) == 0);
    call();
  });
  if (!thread.join()) say("%s: not cancelled\n", name);
}

}  // namespace

// What the C library itself only looks for if it has to wait.
SCENARIO(libcs_points_with_the_result_there) {
  for (int round = 0; round < 10; ++round) {
    Ends pipe;
    aiocb request = {};
    CHECK(::write(pipe.out, "x", 1) == 1);
    read_by_aio(request, pipe.in);
    while (::aio_error(&request) == EINPROGRESS) pause_us(50);
    const aiocb* const list[] = {&request};
    ends_before("aio_suspend", [&] { ::aio_suspend(list, 1, nullptr); });
    ends_before("plain aio_suspend", [&] { plain_aio_suspend(list, 1, nullptr); });
    CHECK(::aio_return(&request) == 1);
  }
}

// The asynchronous type, in calls of the C library's and in none.
SCENARIO(asynchronous_type) {
  make_libcs_waits();
  Ends pipe;
  const std::function<void()> bodies[] = {
      [] { for (;;) { } },
      [] { ::fgets(buffer, sizeof buffer, quiet_stream); },
      [] { ::sem_wait(&never_posted); },
      [&] { ::read(pipe.in, buffer, 1); },
      [] { ::poll(nullptr, 0, -1); },
      [] { for (;;) ::syscall(SYS_getppid); },
  };
  for (int round = 0; round < 30; ++round)
    for (const auto& body : bodies) {
      std::atomic<bool> ready{false};
      Thread thread([&] {
        int before = -1;
        CHECK(::pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &before) == 0 && before == PTHREAD_CANCEL_DEFERRED);
        ready = true;
        body();
      });
      while (!ready) ::sched_yield();
      if (round % 2 == 0) pause_us(200);
      thread.cancel();
      CHECK(thread.join());
    }
}

// ---- Nothing is lost ----

namespace {

// `fire` and the cancellation come at once; then the thread has it (`take` returned true), or it can still be had
// (`is_left`).
struct Contest {
  std::function<bool()> take;
  std::function<void()> fire;
  std::function<bool()> is_left;
};

void contest(const char* name, int rounds, const std::function<Contest()>& make) {
  static Jitter jitter;
  int lost = 0, twice = 0, taken_rounds = 0, cancelled_rounds = 0;
  for (int round = 0; round < rounds; ++round) {
    Contest one = make();
    std::atomic<bool> ready{false}, taken{false};
    Thread thread([&] {
      ready = true;
      if (one.take()) taken = true;
    });
    while (!ready) ::sched_yield();
    jitter.pass(round % 4 == 0 ? 300 : 30'000);
    if (round % 2 == 0) {
      one.fire();
      jitter.pass(round % 3 == 0 ? 4000 : 1);
      thread.cancel();
    } else {
      thread.cancel();
      one.fire();
    }
    const bool cancelled = thread.join();
    STRICT(cancelled != taken);
    const bool left = one.is_left();
    lost += !taken && !left;
    twice += taken && left;
    ++(cancelled ? cancelled_rounds : taken_rounds);
  }
  if ((lost != 0 || twice != 0) && is_exact())
    ::dprintf(2, "%s: %d lost, %d twice\n", name, lost, twice);
  STRICT(lost == 0);
  CHECK(twice == 0);
  // Who wins how often is the machine's; a slow one may leave one side all of the rounds.
  CHECK(taken_rounds + cancelled_rounds == rounds);
}

template <typename Object, typename... Argument>
std::shared_ptr<Object> shared(Argument... argument) {
  return std::make_shared<Object>(argument...);
}

}  // namespace

SCENARIO(contest_read) {
  contest("read", 2500, [] {
    auto pipe = shared<Ends>();
    return Contest{[=] { char byte; return ::read(pipe->in, &byte, 1) == 1; },
                   [=] { CHECK(::write(pipe->out, "x", 1) == 1); },
                   [=] { set_nonblocking(pipe->in); char byte; return ::read(pipe->in, &byte, 1) == 1; }};
  });
}

SCENARIO(contest_recv) {
  contest("recv", 2500, [] {
    auto pair = shared<Sockets>();
    return Contest{[=] { char byte; return ::recv(pair->in, &byte, 1, 0) == 1; },
                   [=] { CHECK(::send(pair->out, "x", 1, 0) == 1); },
                   [=] { char byte; return ::recv(pair->in, &byte, 1, MSG_DONTWAIT) == 1; }};
  });
}

SCENARIO(contest_accept) {
  Listener one;
  const size_t before = open_numbers().size();
  contest("accept", 1500, [&] {
    auto peer = shared<int>(-1);
    return Contest{[&] {
                     const int fd = ::accept(one.fd, nullptr, nullptr);
                     if (fd < 0) return false;
                     ::syscall(SYS_close, fd);  // no cancellation point
                     return true;
                   },
                   [=, &one] { *peer = one.connect(); },
                   [=, &one] {
                     pollfd set = {one.fd, POLLIN, 0};
                     const bool left = ::poll(&set, 1, 0) == 1;
                     if (left) ::close(::accept(one.fd, nullptr, nullptr));
                     ::close(*peer);
                     return left;
                   }};
  });
  STRICT(open_numbers().size() == before);
}

namespace {

void contest_epoll(unsigned how) {
  contest("epoll_wait", 2000, [=] {
    auto set = shared<EventSet>(how);
    return Contest{[=] { return set->wait(-1); }, [=] { set->fire(); }, [=] {
                     const bool left = set->wait(0);
                     return left;
                   }};
  });
}

}  // namespace

SCENARIO(contest_epoll_edge) { contest_epoll(EPOLLET); }
SCENARIO(contest_epoll_oneshot) { contest_epoll(EPOLLONESHOT); }

SCENARIO(contest_open) {
  const std::string name = "/tmp/kev-test-fifo-" + std::to_string(::getpid());
  CHECK(::mkfifo(name.c_str(), 0600) == 0);
  const size_t before = open_numbers().size();
  contest("open", 800, [&] {
    auto taken = shared<bool>(false);
    return Contest{[=, &name] {
                     const int fd = ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
                     if (fd < 0) return false;
                     ::syscall(SYS_close, fd);
                     return *taken = true;
                   },
                   [&] {
                     const int fd = ::open(name.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
                     if (fd >= 0) ::close(fd);
                     else CHECK(errno == ENXIO);
                   },
                   [=] {
                     const bool leaked = open_numbers().size() != before;
                     STRICT(!leaked);
                     return !leaked && !*taken;  // it can still be opened
                   }};
  });
  ::unlink(name.c_str());
}

SCENARIO(contest_sigwait) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  CHECK(::pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  contest("sigwait", 1500, [&] {
    return Contest{[&] { int taken; return ::sigwait(&set, &taken) == 0 && taken == SIGUSR2; },
                   [] { ::kill(::getpid(), SIGUSR2); },
                   [&] { timespec none = {0, 0}; return ::sigtimedwait(&set, nullptr, &none) == SIGUSR2; }};
  });
}

SCENARIO(contest_msgrcv) {
  struct Message { long type; char text[8]; };
  const int queue = ::msgget(IPC_PRIVATE, 0600);
  CHECK(queue >= 0);
  contest("msgrcv", 1500, [&] {
    return Contest{[&] { Message one; return ::msgrcv(queue, &one, 8, 0, 0) == 8; },
                   [&] { Message one = {1, {}}; CHECK(::msgsnd(queue, &one, 8, 0) == 0); },
                   [&] { Message one; return ::msgrcv(queue, &one, 8, 0, IPC_NOWAIT) == 8; }};
  });
  ::msgctl(queue, IPC_RMID, nullptr);
}

SCENARIO(contest_waitpid) {
  contest("waitpid", 200, [] {
    auto pipe = shared<Ends>();
    const pid_t waited = ::fork();
    if (waited == 0) {
      char byte;
      ::read(pipe->in, &byte, 1);
      ::_exit(0);
    }
    return Contest{[=] { return ::waitpid(waited, nullptr, 0) == waited; },
                   [=] { CHECK(::write(pipe->out, "x", 1) == 1); },
                   [=] { return ::waitpid(waited, nullptr, 0) == waited; }};
  });
}

// ---- The event goes to who is left ----

namespace {

// Two wait for one event, one of them is cancelled: the other gets it, or the first had it already.
void shared_event(unsigned how) {
  Jitter jitter;
  for (int round = 0; round < 700; ++round) {
    EventSet set(how);
    std::atomic<int> took{0}, waiting{0};
    const auto body = [&] {
      ++waiting;
      if (set.wait(-1)) ++took;
    };
    Thread one(body), other(body);
    while (waiting < 2) ::sched_yield();
    jitter.pass(round % 4 == 0 ? 300 : 30'000);
    if (round % 2 == 0) set.fire();
    one.cancel();
    if (round % 2 != 0) set.fire();
    const bool cancelled = one.join();
    if (!cancelled && took == 1 && how != 0) other.cancel();
    const bool other_cancelled = other.join();
    CHECK(cancelled ? took == 1 && !other_cancelled : took >= 1);
  }
}

}  // namespace

SCENARIO(shared_level) { shared_event(0); }
SCENARIO(shared_edge) { shared_event(EPOLLET); }
SCENARIO(shared_oneshot) { shared_event(EPOLLONESHOT); }

// In a poll that the core answers: what the thread leaves behind.
SCENARIO(in_a_mirrored_poll) {
  Watched watched(40);
  watched.exercise();
  const size_t before = open_numbers().size();
  const unsigned long mask = signal_mask();
  Jitter jitter;
  for (int round = 0; round < 150; ++round) {
    static std::atomic<bool> asleep;
    static std::atomic<unsigned long> mask_in_cleanup;
    static std::atomic<int> ready_seen;
    asleep = false;
    ready_seen = 0;
    mask_in_cleanup = ~0ul;
    Thread thread([&] {
      Watched own(0);
      own.fds = watched.fds;
      own.expect({});
      pthread_cleanup_push([](void*) { mask_in_cleanup = signal_mask(); }, nullptr);
      asleep = true;
      for (;;) {
        const int ready = round % 2 == 0 ? own.poll(-1) : ::ppoll(own.fds.data(), own.fds.size(), nullptr, nullptr);
        if (ready > 0) ++ready_seen;
      }
      pthread_cleanup_pop(0);
    });
    while (!asleep) ::sched_yield();
    if (round % 3 != 0) pause_us(100);
    jitter.pass(5000);
    if (round % 2 != 0) watched.fire(7);
    thread.cancel();
    CHECK(thread.join());
    STRICT(mask_in_cleanup == mask);
    if (round % 2 != 0) {
      watched.expect({7});
      watched.calm(7);
    }
    watched.expect({});
    CHECK(signal_mask() == mask);
  }
  CHECK(open_numbers().size() <= before + 6);
  watched.exercise();
}

// ---- What runs on the way out ----

namespace {

std::atomic<unsigned> said{0};
char order[64];
void note(char what) { order[said++] = what; }

struct Noted {
  char what;
  ~Noted() { note(what); }
};

pthread_key_t keys[2];

void on_the_way_out(const std::function<void()>& wait) {
  const Noted outer{'d'};
  pthread_cleanup_push([](void*) { note('c'); }, nullptr);
  const Noted middle{'b'};
  pthread_cleanup_push([](void*) {
    // Cancellation points in cleanup handlers are none.
    char byte;
    Ends pipe;
    CHECK(::write(pipe.out, "x", 1) == 1 && ::read(pipe.in, &byte, 1) == 1);
    ::pthread_testcancel();
    note('a');
  }, nullptr);
  wait();
  pthread_cleanup_pop(0);
  pthread_cleanup_pop(0);
}

}  // namespace

SCENARIO(way_out) {
  CHECK(::pthread_key_create(&keys[0], [](void*) { note('e'); }) == 0);
  Ends pipe;
  const std::function<void()> waits[] = {
      [&] { char byte; ::read(pipe.in, &byte, 1); },
      [] { ::poll(nullptr, 0, -1); },
      [] { ::pause(); },
      [] { for (;;) ::close(-1); },
      [] { for (;;) ::pthread_testcancel(); },
  };
  for (const auto& wait : waits)
    for (const bool asleep : {true, false}) {
      ::memset(order, 0, sizeof order);
      said = 0;
      Thread thread([&] {
        ::pthread_setspecific(keys[0], &keys);
        on_the_way_out(wait);
      });
      if (asleep) pause_us(1000);
      thread.cancel();
      CHECK(thread.join());
      if (asleep) say("%s\n", order);
      if (asleep) CHECK(::strcmp(order, "abcde") == 0);
    }
}

SCENARIO(mask_in_cleanup) {
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  CHECK(::pthread_sigmask(SIG_BLOCK, &blocked, nullptr) == 0);
  const unsigned long expected = signal_mask();
  static std::atomic<unsigned long> found;
  Ends pipe;
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  timespec hour = {3600, 0};
  const std::function<void()> waits[] = {
      [&] { char byte; ::read(pipe.in, &byte, 1); },
      [&] { ::ppoll(nullptr, 0, &hour, &none); },
      [&] { ::ppoll(nullptr, 0, &hour, &all); },
      [&] { ::pselect(0, nullptr, nullptr, nullptr, &hour, &none); },
      [&] { ::sigsuspend(&none); },
      [&] { ::sigsuspend(&all); },
      [&] { int taken; ::sigwait(&blocked, &taken); },
  };
  for (const auto& wait : waits) {
    found = ~0ul;
    Thread thread([&] {
      pthread_cleanup_push([](void*) { found = signal_mask(); }, nullptr);
      wait();
      pthread_cleanup_pop(0);
    });
    thread.wait_until_asleep();
    pause_us(300);
    thread.cancel();
    CHECK(thread.join());
    STRICT((found & ~kLibcsSignals) == expected);
    STRICT(found == expected);
  }
}

// ---- State and type ----

SCENARIO(state_and_type) {
  const auto print = [](const char* what, int result, int old) { say("%s: %d, %d\n", what, result, old); };
  const int states[] = {PTHREAD_CANCEL_DISABLE, 7, -1, PTHREAD_CANCEL_ENABLE, 2, PTHREAD_CANCEL_ENABLE};
  for (const int value : states) {
    int old = 4711;
    print("state", ::pthread_setcancelstate(value, &old), old);
  }
  const int types[] = {PTHREAD_CANCEL_ASYNCHRONOUS, 7, -1, PTHREAD_CANCEL_DEFERRED, 2, PTHREAD_CANCEL_DEFERRED};
  for (const int value : types) {
    int old = 4711;
    print("type", ::pthread_setcanceltype(value, &old), old);
  }
  print("state", ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr), 0);
  print("state", ::pthread_setcancelstate(99, nullptr), 0);
  // A wrong value changes nothing: still disabled.
  CHECK(::pthread_cancel(::pthread_self()) == 0);
  char byte;
  CHECK(::read(-1, &byte, 1) == -1);
  ::pthread_testcancel();
  say("still here\n");
  // The main thread's own end, as the last thread's: the process ends well.
  ::pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, nullptr);
  ::read(-1, &byte, 1);
  CHECK(!"cancelled");
}

// A thread that is disabled gets neither EINTR nor an early end from calls that are never restarted.
SCENARIO(disabled_is_undisturbed) {
  EventSet set;
  std::atomic<bool> stop{false};
  std::atomic<int> calls{0};
  Thread thread([&] {
    ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
    while (!stop) {
      epoll_event found;
      CHECK(::epoll_wait(set.set, &found, 1, 2) == 0);
      timespec time = {0, 500'000};
      CHECK(::nanosleep(&time, nullptr) == 0);
      CHECK(::poll(nullptr, 0, 1) == 0);
      ++calls;
    }
    ::pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, nullptr);
    ::pthread_testcancel();
  });
  for (int i = 0; i < 3000; ++i) {
    thread.cancel();
    if (i % 16 == 0) pause_us(50);
  }
  while (calls < 20) pause_us(1000);
  stop = true;
  CHECK(thread.join());
}

// ---- Both versions of the names ----

#ifdef __x86_64__
extern "C" int cancel_old(pthread_t);
extern "C" void testcancel_old(void);
extern "C" int setcancelstate_old(int, int*);
__asm__(".symver cancel_old, pthread_cancel@GLIBC_2.2.5");
__asm__(".symver testcancel_old, pthread_testcancel@GLIBC_2.2.5");
__asm__(".symver setcancelstate_old, pthread_setcancelstate@GLIBC_2.2.5");
#else
#define cancel_old pthread_cancel
#define testcancel_old pthread_testcancel
#define setcancelstate_old pthread_setcancelstate
#endif

SCENARIO(both_versions) {
  using Cancel = int (*)(pthread_t);
  auto* looked_up = reinterpret_cast<Cancel>(::dlsym(RTLD_DEFAULT, "pthread_cancel"));
  CHECK(looked_up != nullptr);
  Ends pipe;
  for (const Cancel by : {Cancel{&cancel_old}, Cancel{&::pthread_cancel}, looked_up})
    for (int round = 0; round < 20; ++round) {
      Thread thread([&] {
        char byte;
        setcancelstate_old(PTHREAD_CANCEL_DISABLE, nullptr);
        testcancel_old();
        setcancelstate_old(PTHREAD_CANCEL_ENABLE, nullptr);
        ::read(pipe.in, &byte, 1);
      });
      thread.wait_until_asleep();
      CHECK(by(thread.id()) == 0);
      CHECK(thread.join());
    }
}

// However a thread ends in system(), its shell is killed and reaped, and the signals are back.
SCENARIO(ended_in_system) {
  for (const int type : {PTHREAD_CANCEL_DEFERRED, PTHREAD_CANCEL_ASYNCHRONOUS}) {
    Thread thread([type] {
      ::pthread_setcanceltype(type, nullptr);
      if (::system("exec sleep 97") != 0) ::write(2, "system ended\n", 13);
    });
    thread.wait_until_asleep();
    ::usleep(50'000);
    thread.cancel();
    CHECK(thread.join());
    struct sigaction action;
    CHECK(::sigaction(SIGINT, nullptr, &action) == 0 && action.sa_handler == SIG_DFL);
    CHECK(::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD);
  }
}

// ---- Filters ----

namespace {

void forbid(const std::vector<long>& numbers) {
  std::vector<sock_filter> code;
  code.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  for (const long number : numbers) {
    code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(number), 0, 1));
    code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
  }
  code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  sock_fprog filter = {static_cast<unsigned short>(code.size()), code.data()};
  CHECK(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  CHECK(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0);
}

}  // namespace

// What the C library makes to cancel a thread is all that may be made.
SCENARIO(under_a_filter) {
  Ends pipe;
  const std::function<void()> waits[] = {
      [&] { char byte; ::read(pipe.in, &byte, 1); },
      [] { ::poll(nullptr, 0, -1); },
      [] { for (;;) ::close(-1); },
      [] { ::pause(); },
      [] { ::sleep(100); },
  };
  const auto cancel_all = [&] {
    for (int round = 0; round < 40; ++round)
      for (const auto& wait : waits) {
        std::atomic<bool> ready{false};
        Thread thread([&] {
          ready = true;
          wait();
        });
        while (!ready) {
        }
        if (round % 2 == 0) pause_us(200);
        thread.cancel();
        CHECK(thread.join());
      }
  };
  // Threads inherit the filter of who starts them.
  forbid({SYS_membarrier, SYS_getppid, SYS_epoll_create1, SYS_epoll_ctl});
  cancel_all();
  say("cancelled under a filter\n");
}

SCENARIO(before_and_under_a_filter) {
  Ends pipe;
  Thread before([&] { char byte; ::read(pipe.in, &byte, 1); });
  before.wait_until_asleep();
  before.cancel();
  CHECK(before.join());
  Thread started([&] { char byte; ::read(pipe.in, &byte, 1); });
  started.wait_until_asleep();
  forbid({SYS_membarrier, SYS_getppid});
  started.cancel();
  CHECK(started.join());
}

// ---- Jumps and handlers ----

namespace {

sigjmp_buf back;
std::atomic<bool> jumped{false};

void on_jump(void (*handler)(int), int flags = 0) {
  struct sigaction action = {};
  action.sa_flags = flags;
  action.sa_handler = handler;
  CHECK(::sigaction(SIGUSR1, &action, nullptr) == 0);
}

}  // namespace

// Far below the frame that was left, or above it.
template <typename Body>
[[gnu::noinline]] void at_depth(bool deep, Body body) {
  volatile char* room = static_cast<char*>(__builtin_alloca(deep ? 16384 : 16));
  room[0] = 0;
  body();
}

// A handler jumps out of a read; afterwards the thread is cancelled in a call that is no cancellation point, and ends
// at its next one.
SCENARIO(jumped_out_then_elsewhere) {
  on_jump([](int) { ::siglongjmp(back, 1); });
  const int semaphore = ::semget(IPC_PRIVATE, 1, 0600);
  CHECK(semaphore >= 0);
  Ends pipe;
  for (int round = 0; round < 4; ++round) {
    static std::atomic<unsigned long> mask_at_end;
    std::atomic<bool> out{false}, past{false};
    std::atomic<long> result{-1};
    Thread thread([&] {
      pthread_cleanup_push([](void*) { mask_at_end = signal_mask(); }, nullptr);
      if (sigsetjmp(back, round % 2) == 0) {
        char byte;
        ::read(pipe.in, &byte, 1);
      }
      sigset_t none;
      sigemptyset(&none);
      ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
      out = true;
      sembuf down = {0, -1, 0};
      timespec time = {0, 100'000'000};
      at_depth(round >= 2, [&] { result = ::semtimedop(semaphore, &down, 1, &time) == 0 ? 0 : errno; });
      past = true;
      char byte;
      ::read(pipe.in, &byte, 1);
      pthread_cleanup_pop(0);
    });
    thread.wait_until_asleep();
    ::pthread_kill(thread.id(), SIGUSR1);
    while (!out) ::sched_yield();
    thread.wait_until_asleep();
    pause_us(300);
    thread.cancel();
    CHECK(thread.join());
    CHECK(past);
    say("semtimedop: %s\n", result == EAGAIN ? "the time was over" : result == EINTR ? "interrupted" : "?");
    STRICT((mask_at_end & kLibcsSignals) == 0);
  }
  ::semctl(semaphore, 0, IPC_RMID);
}

// The same thread in a call of ours again: cancelled there, asleep.
SCENARIO(jumped_out_then_asleep) {
  on_jump([](int) { ::siglongjmp(back, 1); });
  Ends pipe;
  make_libcs_waits();
  const std::function<void()> waits[] = {
      [&] { char byte; ::read(pipe.in, &byte, 1); },
      [] { ::poll(nullptr, 0, -1); },
      [] { ::sem_wait(&never_posted); },
      [] { ::fgets(buffer, sizeof buffer, quiet_stream); },
  };
  for (int round = 0; round < 20; ++round)
    for (const auto& wait : waits) {
      std::atomic<bool> out{false};
      Thread thread([&] {
        if (sigsetjmp(back, 1) == 0) {
          char byte;
          ::read(pipe.in, &byte, 1);
        }
        out = true;
        wait();
      });
      thread.wait_until_asleep();
      ::pthread_kill(thread.id(), SIGUSR1);
      while (!out) ::sched_yield();
      if (round % 2 == 0) thread.wait_until_asleep();
      thread.cancel();
      CHECK(thread.join());
    }
}

// Jumped out, then disabled for a while with a request pending; a handler on top of a wait enables it.
SCENARIO(jumped_out_then_enabled_by_a_handler) {
  on_jump([](int) {
    if (jumped.exchange(true)) ::pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, nullptr);
    else ::siglongjmp(back, 1);
  }, SA_RESTART);
  Ends pipe;
  const int semaphore = ::semget(IPC_PRIVATE, 1, 0600);
  for (const bool deep : {false, true}) {
    jumped = false;
    std::atomic<bool> out{false};
    Thread thread([&] {
      if (sigsetjmp(back, 1) == 0) {
        char byte;
        ::read(pipe.in, &byte, 1);
      }
      out = true;
      sembuf down = {0, -1, 0};
      timespec time = {0, 100'000'000};
      // Cancelled here, which is no cancellation point.
      at_depth(deep, [&] { ::semtimedop(semaphore, &down, 1, &time); });
      ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
      out = false;
      for (;;) {
        char byte;
        ::read(pipe.in, &byte, 1);
      }
    });
    thread.wait_until_asleep();
    ::pthread_kill(thread.id(), SIGUSR1);
    while (!out) ::sched_yield();
    thread.wait_until_asleep();
    thread.cancel();
    while (out) ::sched_yield();
    pause_us(2000);
    thread.wait_until_asleep();
    ::pthread_kill(thread.id(), SIGUSR1);
    CHECK(thread.join());
  }
  ::semctl(semaphore, 0, IPC_RMID);
}

// ---- Children of vfork ----

namespace {

struct Borrowed {
  int in, out;
  std::atomic<int> read_bytes{0};
  std::atomic<int> opened{0};
  std::atomic<int> stage{0};
};

[[gnu::noinline]] pid_t start_reader(Borrowed& shared) {
  const pid_t reader = ::vfork();
  if (reader != 0) return reader;
  shared.stage = 1;
  char byte;
  for (int i = 0; i < 3; ++i)
    if (::read(shared.in, &byte, 1) == 1) ++shared.read_bytes;
  for (int i = 0; i < 20; ++i) {
    const int fd = ::open("/dev/null", O_RDONLY);
    if (fd >= 0) ++shared.opened;
    ::close(fd);
  }
  ::poll(nullptr, 0, 1);
  ::_exit(0);
}

}  // namespace

// The child goes about its business in its parent's memory; the request is for the thread that it stands in for.
SCENARIO(a_vfork_childs_parent_is_cancelled) {
  for (int round = 0; round < 60; ++round) {
    Ends pipe;
    Borrowed shared;
    shared.in = pipe.in;
    std::atomic<int> came_back{0};
    Thread thread([&] {
      start_reader(shared);
      came_back = 1;
      for (;;) ::pause();
    });
    while (shared.stage == 0) ::sched_yield();
    if (round % 2 == 0) pause_us(500);
    CHECK(::write(pipe.out, "a", 1) == 1);
    thread.cancel();
    pause_us(300);
    CHECK(::write(pipe.out, "bc", 2) == 2);
    CHECK(thread.join());
    CHECK(came_back == 1);
    CHECK(shared.read_bytes == 3 && shared.opened == 20);
    int status = -1;
    CHECK(::wait(&status) > 0 && status == 0);
  }
}

SCENARIO_MAIN
