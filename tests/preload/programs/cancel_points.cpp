// Where threads are cancelled, also under filters.
#include <aio.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <mqueue.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <threads.h>

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "support/cancel.hpp"
#include "support/process.hpp"
#include "support/watched.hpp"

using namespace scenario;

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
