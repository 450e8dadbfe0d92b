// What runs on a cancelled thread's way out, and the states and names that lead there.
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>

#include <atomic>
#include <functional>

#include "support/cancel.hpp"
#include "support/process.hpp"
#include "support/watched.hpp"

using namespace scenario;

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
