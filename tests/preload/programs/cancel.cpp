// Cancellation after jumps, and beside children of vfork.
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/sem.h>

#include <atomic>
#include <functional>

#include "support/cancel.hpp"
#include "support/process.hpp"
#include "support/watched.hpp"

using namespace scenario;

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
  sem_t never_posted;
  ::sem_init(&never_posted, 0, 0);
  FILE* quiet_stream = ::fdopen((new Ends)->in, "r");
  const std::function<void()> waits[] = {
      [&] { char byte; ::read(pipe.in, &byte, 1); },
      [] { ::poll(nullptr, 0, -1); },
      [&] { ::sem_wait(&never_posted); },
      [&] { char line[100]; ::fgets(line, sizeof line, quiet_stream); },
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
