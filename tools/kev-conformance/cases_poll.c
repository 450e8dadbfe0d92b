// What poll, ppoll and select promise: time-outs, levels, bad descriptors, hang-ups, and EINTR.
#define _GNU_SOURCE 1
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int ends[2];

static bool make_pipe(struct result *result) {
  if (pipe2(ends, O_CLOEXEC) == 0) return true;
  skip(result, "pipe2: %s", error_name(errno));
  return false;
}

// Times are bounded from above loosely: the machine may be busy.
static void check_time(int64_t start, int wanted_ms, struct result *result) {
  double ms = (double)(now_ns() - start) / 1e6;
  if (ms < wanted_ms) fail(result, "the wait of %d ms ended after %.3f ms", wanted_ms, ms);
  if (ms > wanted_ms + 2000) fail(result, "the wait of %d ms ended after %.0f ms", wanted_ms, ms);
}

static void run_poll_timeout(struct result *result) {
  if (!make_pipe(result)) return;
  struct pollfd item = {ends[0], POLLIN, 0x55};
  int64_t start = now_ns();
  int n = poll(&item, 1, 60);
  REQUIRE(result, n == 0 && item.revents == 0, "poll gave %d and revents %#x", n, (unsigned)item.revents);
  check_time(start, 60, result);
  start = now_ns();
  n = poll(&item, 1, 0);
  REQUIRE(result, n == 0 && now_ns() - start < 1000000000, "poll with time-out 0 gave %d or took a second", n);
}

static void run_poll_level(struct result *result) {
  if (!make_pipe(result)) return;
  struct pollfd item = {ends[0], POLLIN, 0};
  char byte;
  REQUIRE(result, write(ends[1], "x", 1) == 1, "write: %s", error_name(errno));
  for (int i = 0; i < 3; i++) {
    item.revents = 0;
    int n = poll(&item, 1, 1000);
    REQUIRE(result, n == 1 && item.revents == POLLIN, "look %d: poll gave %d and revents %#x", i, n,
            (unsigned)item.revents);
  }
  REQUIRE(result, read(ends[0], &byte, 1) == 1, "read: %s", error_name(errno));
  REQUIRE(result, poll(&item, 1, 0) == 0, "the pipe is empty but poll still reports it");
}

static void run_poll_bad(struct result *result) {
  if (!make_pipe(result)) return;
  struct pollfd items[3] = {{ends[0], POLLIN, 0}, {12345, POLLIN, 0}, {-1, POLLIN, 0x55}};
  int n = poll(items, 3, 1000);
  REQUIRE(result, n == 1 && items[1].revents == POLLNVAL, "poll gave %d and revents %#x for a closed descriptor", n,
          (unsigned)items[1].revents);
  REQUIRE(result, items[2].revents == 0, "revents of a negative descriptor is %#x", (unsigned)items[2].revents);
}

static void run_poll_hangup(struct result *result) {
  if (!make_pipe(result)) return;
  struct pollfd item = {ends[0], 0, 0};
  close(ends[1]);
  int n = poll(&item, 1, 1000);
  REQUIRE(result, n == 1 && item.revents == POLLHUP, "poll gave %d and revents %#x for a pipe without writers", n,
          (unsigned)item.revents);
}

static atomic_int handled;
static void count_handler(int signal_number) {
  (void)signal_number;
  atomic_fetch_add(&handled, 1);
}

// SIGALRM in 30 ms, even SA_RESTART does not restart these calls.
static void set_alarm(int flags) {
  struct sigaction action = {.sa_handler = count_handler, .sa_flags = flags};
  struct itimerval time = {.it_value = {0, 30000}};
  atomic_store(&handled, 0);
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &time, NULL);
}

static void run_poll_eintr(struct result *result) {
  if (!make_pipe(result)) return;
  struct pollfd item = {ends[0], POLLIN, 0};
  for (int i = 0; i < 2; i++) {
    set_alarm(i == 0 ? 0 : SA_RESTART);
    int n = poll(&item, 1, 3000);
    REQUIRE(result, n == -1 && errno == EINTR && atomic_load(&handled) == 1,
            "%s SA_RESTART: poll gave %d (%s) after %d signals", i == 0 ? "without" : "with", n,
            error_name(n < 0 ? errno : 0), atomic_load(&handled));
  }
}

// A signal that is blocked and pending gets in during the wait alone.
static void run_ppoll_mask(struct result *result) {
  if (!make_pipe(result)) return;
  struct sigaction action = {.sa_handler = count_handler};
  struct pollfd item = {ends[0], POLLIN, 0};
  struct timespec time = {3, 0};
  sigset_t blocked, none;
  sigemptyset(&none);
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  atomic_store(&handled, 0);
  sigaction(SIGUSR1, &action, NULL);
  pthread_sigmask(SIG_BLOCK, &blocked, NULL);
  pthread_kill(pthread_self(), SIGUSR1);
  REQUIRE(result, ppoll(&item, 1, &(struct timespec){0, 1000000}, NULL) == 0 && atomic_load(&handled) == 0,
          "the blocked signal was delivered without a mask");
  int n = ppoll(&item, 1, &time, &none);
  REQUIRE(result, n == -1 && errno == EINTR && atomic_load(&handled) == 1,
          "ppoll with an empty mask gave %d, %d signals were handled", n, atomic_load(&handled));
}

static void run_select_timeout(struct result *result) {
  if (!make_pipe(result)) return;
  struct timeval time = {0, 60000};
  fd_set set;
  FD_ZERO(&set);
  FD_SET(ends[0], &set);
  int64_t start = now_ns();
  int n = select(ends[0] + 1, &set, NULL, NULL, &time);
  REQUIRE(result, n == 0 && !FD_ISSET(ends[0], &set), "select gave %d, or left the bit set", n);
  check_time(start, 60, result);
}

static void run_select_sets(struct result *result) {
  if (!make_pipe(result)) return;
  fd_set readable, writable;
  FD_ZERO(&readable);
  FD_SET(ends[0], &readable);
  writable = readable;
  FD_CLR(ends[0], &writable);
  FD_SET(ends[1], &writable);
  REQUIRE(result, write(ends[1], "x", 1) == 1, "write: %s", error_name(errno));
  int high = ends[1] > ends[0] ? ends[1] : ends[0];
  int n = select(high + 1, &readable, &writable, NULL, NULL);
  REQUIRE(result, n == 2 && FD_ISSET(ends[0], &readable) && FD_ISSET(ends[1], &writable),
          "select gave %d for a readable and a writable end", n);
}

// The kernel does not look at bits beyond its table of descriptors: this one was in use.
static void run_select_bad(struct result *result) {
  struct timeval time = {0, 0};
  int closed = lowest_free_descriptor();
  fd_set set;
  FD_ZERO(&set);
  FD_SET(closed, &set);
  int n = select(closed + 1, &set, NULL, NULL, &time);
  REQUIRE(result, n == -1 && errno == EBADF, "select of a closed descriptor gave %d (%s)", n,
          error_name(n < 0 ? errno : 0));
}

static void run_select_eintr(struct result *result) {
  if (!make_pipe(result)) return;
  fd_set set;
  FD_ZERO(&set);
  FD_SET(ends[0], &set);
  struct timeval time = {3, 0};
  set_alarm(0);
  int n = select(ends[0] + 1, &set, NULL, NULL, &time);
  REQUIRE(result, n == -1 && errno == EINTR, "select gave %d (%s) after a signal", n, error_name(n < 0 ? errno : 0));
}

#define WAIT(name_, run_, title_, clause_) \
  {.name = name_, .title = title_, .clause = clause_, .kind = KIND_REQUIRED, .run = run_}
#define POLL "POSIX.1-2017 poll"
#define SELECT "POSIX.1-2017 select"

const struct test_case cases_poll[] = {
  WAIT("events/poll-timeout", run_poll_timeout, "poll waits for its time-out, and not at all for 0", POLL),
  WAIT("events/poll-level", run_poll_level, "poll reports data as long as they are there", POLL),
  WAIT("events/poll-nval", run_poll_bad, "poll reports a closed descriptor and ignores a negative one", POLL),
  WAIT("events/poll-hangup", run_poll_hangup, "poll reports a hang-up unasked", POLL),
  WAIT("events/poll-eintr", run_poll_eintr, "poll ends with EINTR after a handler, with SA_RESTART too",
       "POSIX.1-2017 poll; signal(7)"),
  WAIT("events/ppoll-mask", run_ppoll_mask, "the mask of ppoll lets a pending signal in for the time of the wait",
       "POSIX.1-2024 ppoll; ppoll(2)"),
  WAIT("events/select-timeout", run_select_timeout, "select waits for its time-out and clears the sets", SELECT),
  WAIT("events/select-sets", run_select_sets, "select counts the bits of all sets", SELECT),
  WAIT("events/select-badf", run_select_bad, "select refuses a closed descriptor", SELECT),
  WAIT("events/select-eintr", run_select_eintr, "select ends with EINTR after a handler", SELECT),
  {.title = NULL},
};

EMBED_SOURCE(cases_poll_c);
