// Calls that hand something over, interrupted by signals again and again: nothing is lost, nothing comes twice.
//
// A thread sends the next signal when the last one was handled, on the one processor that all share: most find the call
// asleep. One counts if its handler returns to a system call, which is to be made again or has just been made.
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/msg.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <ucontext.h>

#include <atomic>
#include <iterator>

#include "support/watchdog.hpp"

using namespace scenario;

namespace {

constexpr unsigned kLast = ~0u;

std::atomic<long> handled{0}, interrupted{0};
std::atomic<unsigned> taken{0};
std::atomic<bool> enough{false}, over{false};
pid_t caller = 0;

bool is_at_call(const char* at) {
  constexpr char kInstruction[] = {'\x0f', '\x05'};
  const size_t size = sizeof kInstruction;
  return ::memcmp(at, kInstruction, size) == 0 || ::memcmp(at - size, kInstruction, size) == 0;
}

void on_signal(int, siginfo_t*, void* where) {
  const greg_t at = static_cast<ucontext_t*>(where)->uc_mcontext.gregs[REG_RIP];
  if (is_at_call(reinterpret_cast<const char*>(at))) ++interrupted;
  ++handled;
}

int ends[2];
int queue = -1;

// An item as large as a small pipe: a second one does not fit.
struct Page {
  unsigned words[1024];
};

struct Message {
  long type;
  unsigned number;
};

struct Exchange {
  const char* name;
  bool gives;     // the call; otherwise it takes what the other thread gives
  bool restarts;  // after a handler with SA_RESTART
  void (*prepare)();
  // One item, of which the giver knows the number. False with errno if the call was interrupted.
  bool (*call)(unsigned& number);
  void (*answer)(unsigned& number);
};

// Anything but the whole of an item or EINTR is wrong.
bool is_whole(ssize_t size, size_t wanted) {
  CHECK(size == static_cast<ssize_t>(wanted) || (size == -1 && errno == EINTR));
  return size > 0;
}

void make_pipe() { CHECK(::pipe(ends) == 0); }
void make_small_pipe() {
  CHECK(::pipe(ends) == 0);
  CHECK(::fcntl(ends[0], F_SETPIPE_SZ, sizeof(Page)) == sizeof(Page));
}
void make_sockets() { CHECK(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0); }

sockaddr_un address;
socklen_t address_length;
void make_listener() {
  ends[0] = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ends[1] = -1;
  address.sun_family = AF_UNIX;
  CHECK(::bind(ends[0], reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t)) == 0);
  address_length = sizeof address;
  CHECK(::getsockname(ends[0], reinterpret_cast<sockaddr*>(&address), &address_length) == 0);
  CHECK(::listen(ends[0], 8) == 0);
}

void make_queue() {
  queue = ::msgget(IPC_PRIVATE, 0600);
  CHECK(queue >= 0);
}

bool call_read(unsigned& number) { return is_whole(::read(ends[0], &number, sizeof number), sizeof number); }
void answer_write(unsigned& number) { CHECK(::write(ends[1], &number, sizeof number) == sizeof number); }

bool call_write(unsigned& number) {
  static Page page;
  for (unsigned& word : page.words) word = number;
  return is_whole(::write(ends[1], &page, sizeof page), sizeof page);
}
void answer_read(unsigned& number) {
  static Page page;
  CHECK(::read(ends[0], &page, sizeof page) == sizeof page);
  number = page.words[0];
  for (const unsigned word : page.words) CHECK(word == number);
}

bool call_recv(unsigned& number) { return is_whole(::recv(ends[0], &number, sizeof number, 0), sizeof number); }

bool call_accept(unsigned& number) {
  const int peer = ::accept(ends[0], nullptr, nullptr);
  CHECK(peer >= 0 || errno == EINTR);
  if (peer < 0) return false;
  while (!is_whole(::read(peer, &number, sizeof number), sizeof number)) {
  }
  CHECK(::close(peer) == 0);
  return true;
}
void answer_connect(unsigned& number) {
  const int peer = ::socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK(::connect(peer, reinterpret_cast<sockaddr*>(&address), address_length) == 0);
  CHECK(::write(peer, &number, sizeof number) == sizeof number && ::close(peer) == 0);
}

bool call_msgrcv(unsigned& number) {
  Message message;
  if (!is_whole(::msgrcv(queue, &message, sizeof message.number, 0, 0), sizeof message.number)) return false;
  number = message.number;
  return true;
}
void answer_msgsnd(unsigned& number) {
  const Message message = {1, number};
  CHECK(::msgsnd(queue, &message, sizeof message.number, 0) == 0);
}

const Exchange kExchanges[] = {
    {"read", false, true, make_pipe, call_read, answer_write},
    {"write", true, true, make_small_pipe, call_write, answer_read},
    {"recv", false, true, make_sockets, call_recv, answer_write},
    {"accept", false, true, make_listener, call_accept, answer_connect},
    {"msgrcv", false, false, make_queue, call_msgrcv, answer_msgsnd},
};

// One item after the other, late: the call has to wait for each.
void* answer(void* argument) {
  const auto& exchange = *static_cast<const Exchange*>(argument);
  unsigned number = 0;
  for (unsigned next = 0; number != kLast; ++next) {
    pause_us(next % 4 * 40);
    if (!exchange.gives) number = enough ? kLast : next;
    exchange.answer(number);
    if (exchange.gives) CHECK(number == next || number == kLast);
    while (!exchange.gives && number != kLast && taken == next) pause_us(20);
  }
  return nullptr;
}

void* send_signals(void*) {
  while (!over) {
    const long before = handled;
    CHECK(::syscall(SYS_tgkill, ::getpid(), caller, SIGUSR1) == 0);
    while (handled == before && !over) ::sched_yield();
  }
  return nullptr;
}

pthread_t start(void* (*body)(void*), const Exchange& exchange) {
  pthread_t thread;
  CHECK(::pthread_create(&thread, nullptr, body, const_cast<Exchange*>(&exchange)) == 0);
  return thread;
}

// Until `wanted` signals have found the thread in a call.
void exchange_under_signals(const Exchange& exchange, long wanted, int flags) {
  struct sigaction action = {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | flags;
  CHECK(::sigaction(SIGUSR1, &action, nullptr) == 0);
  exchange.prepare();
  interrupted = 0;
  taken = 0;
  enough = over = false;
  const pthread_t other = start(answer, exchange), sender = start(send_signals, exchange);
  long ended_by_signals = 0;
  for (unsigned number = 0; number != kLast;) {
    enough = interrupted >= wanted;
    if (exchange.gives) number = enough ? kLast : taken.load();
    const long before = handled;
    if (!exchange.call(number)) {
      CHECK(handled > before);
      ++ended_by_signals;
      if (exchange.gives) number = 0;
    } else if (number != kLast) {
      CHECK(number == taken);
      ++taken;
      ++progress;
    }
  }
  over = true;
  CHECK(::pthread_join(sender, nullptr) == 0 && ::pthread_join(other, nullptr) == 0);
  CHECK((ended_by_signals > 0) == (flags == 0 || !exchange.restarts));
  if (queue >= 0) ::msgctl(queue, IPC_RMID, nullptr);
  for (const int end : ends) ::close(end);
  queue = -1;
}

void stay_on_one_processor() {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<size_t>(::sched_getcpu()), &one);
  CHECK(::sched_setaffinity(0, sizeof one, &one) == 0);
}

}  // namespace

// The argument: how many signals in all.
SCENARIO(interrupted) {
  const long each = ::atol(arguments[0]) / 2 / static_cast<long>(std::size(kExchanges));
  stay_on_one_processor();
  caller = ::gettid();
  start_watchdog(20);
  const sched_param first = {1};
  ::sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first);  // if it may; it is only faster
  for (const Exchange& exchange : kExchanges) {
    for (const int flags : {SA_RESTART, 0}) exchange_under_signals(exchange, each, flags);
    say("%s: each item once, and in order\n", exchange.name);
  }
}

SCENARIO_MAIN
