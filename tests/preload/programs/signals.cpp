// Handlers that interrupt waits, wait themselves, and jump away.
#include <setjmp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/time.h>

#include "support/process.hpp"
#include "support/watched.hpp"

using namespace scenario;

namespace {

sigjmp_buf back;
Watched* handled = nullptr;
volatile int interrupts = 0;

void tick_every(long us) {
  const itimerval interval = {{0, us}, {0, us}};
  CHECK(::setitimer(ITIMER_REAL, &interval, nullptr) == 0);
}

void on_alarm(void (*handler)(int), int flags) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  CHECK(::sigaction(SIGALRM, &action, nullptr) == 0);
}

void jump(int) {
  interrupts = interrupts + 1;
  ::siglongjmp(back, 1);
}

// Runs `wait` until it was left by a jump `times` times, then looks whether all is well.
template <typename Wait>
void jump_out_of(Watched& watched, int times, Wait wait) {
  watched.exercise();
  const size_t before = open_numbers().size();
  on_alarm(jump, 0);
  interrupts = 0;
  tick_every(60);
  while (interrupts < times) {
    if (sigsetjmp(back, 1) == 0)
      for (;;) wait();
  }
  tick_every(0);
  for (pollfd& entry : watched.fds) entry.events = POLLIN;
  watched.exercise();
  const size_t after = open_numbers().size();
  if (after > before + 12) ::dprintf(2, "%zu descriptors were open, %zu are\n", before, after);
  CHECK(after <= before + 12);
  Watched fresh;
  fresh.exercise();
}

}  // namespace

SCENARIO(jump_from_short_polls) {
  Watched watched;
  jump_out_of(watched, 10'000, [&] { watched.poll(0); });
}

SCENARIO(jump_from_long_polls) {
  Watched watched;
  jump_out_of(watched, 10'000, [&] { watched.poll(1000); });
}

SCENARIO(jump_from_select) {
  Watched watched;
  jump_out_of(watched, 10'000, [&] {
    fd_set in;
    FD_ZERO(&in);
    for (const pollfd& entry : watched.fds) FD_SET(entry.fd, &in);
    timeval time = {0, 500};
    ::select(watched.fds.back().fd + 1, &in, nullptr, nullptr, &time);
  });
}

SCENARIO(jump_from_epoll) {
  Watched watched;
  const int set = ::epoll_create1(0);
  epoll_event event = {EPOLLIN, {}};
  CHECK(::epoll_ctl(set, EPOLL_CTL_ADD, watched.fds[0].fd, &event) == 0);
  jump_out_of(watched, 10'000, [&] { ::epoll_wait(set, &event, 1, 100); });
  watched.fire(0);
  CHECK(::epoll_wait(set, &event, 1, 0) == 1);
}

namespace {

void poll_in_handler(int) {
  interrupts = interrupts + 1;
  handled->expect({}, 2);
}

void poll_other_in_handler(int) {
  interrupts = interrupts + 1;
  static Watched* own = new Watched(20);
  own->expect({}, 3);
}

// The array is polled by the main program and by a handler that interrupts it.
void nested(void (*handler)(int), int flags) {
  Watched watched;
  handled = &watched;
  watched.expect({});
  handler(0);
  on_alarm(handler, flags);
  tick_every(500);
  for (int i = 0; i < 10'000 || interrupts < 300; ++i) {
    const int result = watched.poll(i % 4 == 0 ? 2 : 0);
    CHECK(result == 0 || (result == -1 && errno == EINTR));
    for (const pollfd& entry : watched.fds) CHECK(entry.revents == 0);
  }
  tick_every(0);
  watched.exercise();
}

}  // namespace

SCENARIO(same_array_in_handler) { nested(poll_in_handler, SA_RESTART); }
SCENARIO(other_array_in_handler) { nested(poll_other_in_handler, 0); }

SCENARIO(handler_on_another_stack) {
  constexpr size_t kSize = 256 * 1024;
  stack_t stack = {};
  stack.ss_size = kSize;
  stack.ss_sp = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(::sigaltstack(&stack, nullptr) == 0);
  nested(poll_in_handler, SA_ONSTACK);
}

// With room for a signal's frame and 4 KB, which is less than SIGSTKSZ has ever been. What lies below is another's.
SCENARIO(handler_on_a_small_stack) {
  constexpr size_t kPage = 4096;
  stack_t stack = {};
  stack.ss_size = static_cast<size_t>(::sysconf(_SC_MINSIGSTKSZ)) + kPage;
  std::vector<char> memory(kPage + stack.ss_size);
  stack.ss_sp = memory.data() + kPage;
  CHECK(::sigaltstack(&stack, nullptr) == 0);
  Watched watched;
  handled = &watched;
  on_alarm([](int) {
    for (int i = 0; i < Watched::kRounds; ++i) CHECK(handled->poll(0) == 0);
  }, SA_ONSTACK);
  CHECK(::raise(SIGALRM) == 0);
  for (size_t i = 0; i < kPage; ++i) CHECK(memory[i] == 0);
  watched.exercise();
  stack.ss_flags = SS_DISABLE;
  CHECK(::sigaltstack(&stack, nullptr) == 0);
}

SCENARIO(jump_from_another_stack) {
  constexpr size_t kSize = 256 * 1024;
  stack_t stack = {};
  stack.ss_size = kSize;
  stack.ss_sp = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(::sigaltstack(&stack, nullptr) == 0);
  Watched watched;
  watched.exercise();
  on_alarm(jump, SA_ONSTACK);
  tick_every(80);
  while (interrupts < 3000) {
    if (sigsetjmp(back, 1) == 0)
      for (;;) watched.poll(interrupts % 3);
  }
  tick_every(0);
  watched.exercise();
}

namespace {

int handler_pipe[2];

void change_in_handler(int) {
  interrupts = interrupts + 1;
  const int fd = handled->fds[5].fd;
  ::close(fd);
  CHECK(::dup(handler_pipe[0]) == fd);
}

}  // namespace

// A handler closes a descriptor of the array that it interrupted the wait for, and its number comes back readable.
SCENARIO(handler_replaces_a_descriptor) {
  CHECK(::pipe(handler_pipe) == 0 && ::write(handler_pipe[1], "x", 1) == 1);
  for (int round = 0; round < 20; ++round) {
    Watched watched;
    handled = &watched;
    watched.exercise();
    on_alarm(change_in_handler, 0);
    const itimerval once = {{0, 0}, {0, 3000}};
    ::setitimer(ITIMER_REAL, &once, nullptr);
    const int result = watched.poll(1000);
    CHECK(result == -1 && errno == EINTR);
    watched.expect({5});
    watched.close_all();
  }
}

// EINTR, and the revents of a wait that was interrupted.
SCENARIO(interrupted) {
  Watched watched;
  watched.exercise();
  on_alarm([](int) {}, SA_RESTART);
  for (long us : {2000, 20'000}) {
    for (int round = 0; round < 10; ++round) {
      const itimerval once = {{0, 0}, {0, us}};
      ::setitimer(ITIMER_REAL, &once, nullptr);
      const long start = now_us();
      CHECK(watched.poll(10'000) == -1 && errno == EINTR);
      CHECK(now_us() - start >= us - 1000 && now_us() - start < 5'000'000);
    }
  }
  watched.exercise();
}

SCENARIO_MAIN
