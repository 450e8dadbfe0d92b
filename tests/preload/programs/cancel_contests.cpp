// Cancelled threads take nothing with them: it is theirs, or for who is left.
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "support/cancel.hpp"
#include "support/process.hpp"
#include "support/watched.hpp"

using namespace scenario;

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
