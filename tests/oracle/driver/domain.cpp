#include "domain.hpp"

#include <climits>
#include <csignal>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

namespace oracle {

namespace {

struct Name {
  unsigned value;
  const char* text;
};

constexpr Name kPoll[] = {{POLLIN, "POLLIN"},         {POLLOUT, "POLLOUT"},       {POLLPRI, "POLLPRI"},
                          {POLLERR, "POLLERR"},       {POLLHUP, "POLLHUP"},       {POLLNVAL, "POLLNVAL"},
                          {POLLRDHUP, "POLLRDHUP"},   {POLLRDNORM, "POLLRDNORM"}, {POLLWRNORM, "POLLWRNORM"},
                          {POLLRDBAND, "POLLRDBAND"}, {POLLWRBAND, "POLLWRBAND"}, {POLLMSG, "POLLMSG"}};
constexpr Name kEpoll[] = {{EPOLLIN, "EPOLLIN"},
                           {EPOLLOUT, "EPOLLOUT"},
                           {EPOLLPRI, "EPOLLPRI"},
                           {EPOLLRDHUP, "EPOLLRDHUP"},
                           {EPOLLEXCLUSIVE, "EPOLLEXCLUSIVE"},
                           {EPOLLONESHOT, "EPOLLONESHOT"},
                           {EPOLLET, "EPOLLET"}};
constexpr Name kMessage[] = {{MSG_OOB, "MSG_OOB"}, {MSG_PEEK, "MSG_PEEK"}};
constexpr Name kPipe[] = {{O_CLOEXEC, "O_CLOEXEC"}, {O_DIRECT, "O_DIRECT"}};

template <size_t N>
std::string flags(const Name (&names)[N], int value) {
  std::string out;
  unsigned left = static_cast<unsigned>(value);
  if (value < 0) return std::to_string(value);
  for (const Name& name : names)
    if (left & name.value) {
      out += (out.empty() ? "" : " | ") + std::string(name.text);
      left &= ~name.value;
    }
  if (left != 0 || out.empty()) out += (out.empty() ? "" : " | ") + std::to_string(left);
  return out;
}

template <size_t N>
std::string one_of(const char* const (&names)[N], int value) {
  return static_cast<size_t>(value) < N ? names[value] : std::to_string(value);
}

int draw_events(Random& random) {
  switch (random.below(20)) {
    case 0: return POLLOUT;
    case 1: return POLLIN | POLLOUT;
    case 2: return POLLPRI;
    case 3: return 0;
    case 4: return POLLIN | POLLRDHUP;
    case 5: return POLLRDHUP;
    case 6: return POLLIN | POLLPRI | POLLERR | POLLHUP;
    case 7: return random.one_in(4) ? -1 : POLLRDNORM;
    case 8: return random.one_in(4) ? random.between(-32768, 32767) : POLLRDBAND | POLLIN;
    default: return POLLIN;
  }
}

int draw_epoll_events(Random& random) {
  unsigned events = 0;
  if (random.percent(80)) events |= EPOLLIN;
  if (random.one_in(4)) events |= EPOLLOUT;
  if (random.one_in(8)) events |= EPOLLRDHUP;
  if (random.one_in(8)) events |= EPOLLPRI;
  if (random.one_in(3)) events |= EPOLLET;
  if (random.one_in(5)) events |= EPOLLONESHOT;
  if (random.one_in(10)) events |= EPOLLEXCLUSIVE;
  if (random.one_in(40)) events = static_cast<unsigned>(random.next());
  return static_cast<int>(events & ~static_cast<unsigned>(EPOLLWAKEUP));
}

int draw_timeout(Random& random) {
  int chance = random.below(400);
  if (chance < 3) return TIMEOUT_NEVER;
  if (chance < 6) return random.between(1, 2);
  if (chance == 6) return 8;  // more than a verification period
  if (chance == 7) return TIMEOUT_NEGATIVE;
  if (chance == 8) return TIMEOUT_NANOSECONDS;
  return 0;
}

}  // namespace

int draw(Domain domain, Random& random) {
  switch (domain) {
    case NEW:
    case SLOT: return random.below(SLOTS);
    case NUMBER: return random.one_in(8) ? random.between(41, 63) : random.one_in(16) ? random.between(990, 1023) : random.between(3, 40);
    case ODD_NUMBER: {
      // Not the numbers that only the shim opens: docs/differences.md.
      constexpr int kOdd[] = {-1, -2, INT_MIN, 1024, 4000, INT_MAX};
      return random.percent(80) ? kOdd[random.below(6)] : random.between(3, 30);
    }
    case ARRAY: return random.below(ARRAYS);
    case INDEX: return random.below(ENTRIES);
    case LENGTH: return random.one_in(12) ? random.below(3) : random.between(8, ENTRIES);
    case SET: return random.below(SETS);
    case WHICH: return random.percent(85) ? 0 : random.between(1, 2);
    case STREAM: return random.below(STREAMS);
    case CHILD: return random.below(CHILDREN);
    case PIPE_FLAGS: return random.one_in(6) ? O_DIRECT : random.one_in(4) ? O_CLOEXEC : 0;
    case SOCKET_TYPE: return random.below(3);
    case EVENTFD_FLAGS: return random.one_in(3) ? EFD_SEMAPHORE : 0;
    case CLOEXEC: return random.one_in(3) ? O_CLOEXEC : 0;
    case DOMAIN: return random.below(4);
    case RANGE_FLAGS: return random.one_in(4) ? CLOSE_RANGE_CLOEXEC : random.one_in(6) ? CLOSE_RANGE_UNSHARE : 0;
    case SEND_FLAGS: return random.one_in(3) ? MSG_OOB : 0;
    case RECV_FLAGS: return random.one_in(3) ? MSG_PEEK : random.one_in(4) ? MSG_OOB : 0;
    case OPTION: return random.below(OPTIONS);
    case HOW: return random.below(3);
    case WHEN: return random.below(WHENS);
    case PATH: return random.below(PATHS);
    case COUNT: return random.one_in(3) ? 1 : 0;
    case BYTES: return random.one_in(5) ? random.between(0, 8192) : random.between(1, 64);
    case SEED: return random.between(0, 1 << 20);
    case EVENTS: return draw_events(random);
    case EPOLL_EVENTS: return draw_epoll_events(random);
    case CONTROL: return random.one_in(60) ? 0 : random.percent(60) ? EPOLL_CTL_ADD : random.between(2, 3);
    case TIMEOUT: return draw_timeout(random);
    case MAXIMUM: return random.one_in(3) ? random.between(1, 3) : 32;
    case NULLS: return random.one_in(10) ? random.below(8) : 0;
    case WRONG: return random.below(9);
    case SIGNAL: return random.below(2);
    case SIGNALS: return random.between(1, 3);
    case MASK: return random.one_in(4) ? -1 : random.one_in(6) ? 4 : random.below(4);
    case MASK_HOW: return random.below(3);
    case ACTION: return random.below(ACTIONS);
    case DISABLED: return random.one_in(4);
    case BLOCK: return random.between(1, 8);
    case LIMIT: return random.percent(50) ? 1024 : random.between(12, random.one_in(2) ? 60 : 110);
    case WAY: return random.one_in(2) ? 0 : random.below(WAYS);
    case TIMES: return random.one_in(200) ? random.between(4200, 5000) : random.between(5, 40);
    case NONE: return 0;
  }
  return 0;
}

std::string text_of(Domain domain, int value) {
  switch (domain) {
    case EVENTS: return flags(kPoll, value);
    case EPOLL_EVENTS: return value < 0 ? "(int)(" + flags(kEpoll, value & INT_MAX) + " | EPOLLET)" : flags(kEpoll, value);
    case SEND_FLAGS:
    case RECV_FLAGS: return flags(kMessage, value);
    case PIPE_FLAGS: return flags(kPipe, value);
    case CONTROL:
      return one_of({"0", "EPOLL_CTL_ADD", "EPOLL_CTL_DEL", "EPOLL_CTL_MOD"}, value);
    case HOW: return one_of({"SHUT_RD", "SHUT_WR", "SHUT_RDWR"}, value);
    case MASK_HOW: return one_of({"SIG_BLOCK", "SIG_UNBLOCK", "SIG_SETMASK"}, value);
    case WHEN: return one_of({"WHEN_NEVER", "WHEN_PAST", "WHEN_FAR"}, value);
    case ACTION:
      return one_of({"ACTION_NOTHING", "ACTION_WRITE", "ACTION_DRAIN", "ACTION_POLL", "ACTION_JUMP", "ACTION_RESTART",
                     "ACTION_FORK", "ACTION_DUP"}, value);
    case PATH:
      return one_of({"PATH_NULL", "PATH_ZERO", "PATH_MOUNTS", "PATH_FILE", "PATH_FOLDER", "PATH_ONLY", "PATH_FIFO",
                     "PATH_FIFO_READ", "PATH_MISSING"}, value);
    case OPTION: return one_of({"OPTION_OOBINLINE", "OPTION_LINGER", "OPTION_LOWAT", "OPTION_BUFFER"}, value);
    case TIMEOUT:
      if (value == TIMEOUT_NEVER) return "TIMEOUT_NEVER";
      if (value == TIMEOUT_NEGATIVE) return "TIMEOUT_NEGATIVE";
      if (value == TIMEOUT_NANOSECONDS) return "TIMEOUT_NANOSECONDS";
      [[fallthrough]];
    default: return value == INT_MIN ? "(-2147483647 - 1)" : std::to_string(value);
  }
}

}  // namespace oracle
