// What the epoll calls promise: levels, edges, one-shot entries and their re-arming, time-outs, EINTR and errors.
#define _GNU_SOURCE 1
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>

static int ends[2], set = -1;

static bool make_set(uint32_t events, struct result *result) {
  struct epoll_event event = {.events = events, .data.u64 = 0x123456789abcdef0};
  set = epoll_create1(EPOLL_CLOEXEC);
  if (set >= 0 && pipe2(ends, O_CLOEXEC) == 0 && epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event) == 0) return true;
  skip(result, "the setup failed: %s", error_name(errno));
  return false;
}
static bool put(void) { return write(ends[1], "x", 1) == 1; }
static bool take(void) {
  char byte;
  return read(ends[0], &byte, 1) == 1;
}
static int look(int milliseconds) {
  struct epoll_event event;
  return epoll_wait(set, &event, 1, milliseconds);
}

static void run_level(struct result *result) {
  struct epoll_event event = {0};
  if (!make_set(EPOLLIN, result) || !put()) return;
  for (int i = 0; i < 3; i++) {
    int n = epoll_wait(set, &event, 1, 1000);
    REQUIRE(result, n == 1 && event.events == EPOLLIN, "look %d gave %d and events %#x", i, n, event.events);
    REQUIRE(result, event.data.u64 == 0x123456789abcdef0, "the data of the event are not those that were given");
  }
  REQUIRE(result, take() && look(0) == 0, "the pipe is empty but still reported");
}

static void run_edge(struct result *result) {
  if (!make_set(EPOLLIN | EPOLLET, result) || !put()) return;
  REQUIRE(result, look(1000) == 1, "the first edge was not reported");
  REQUIRE(result, look(0) == 0, "an edge was reported twice");
  REQUIRE(result, put() && look(1000) == 1, "the edge of more data was not reported");
  struct epoll_event event = {.events = EPOLLIN | EPOLLET};
  REQUIRE(result, epoll_ctl(set, EPOLL_CTL_MOD, ends[0], &event) == 0 && look(1000) == 1,
          "EPOLL_CTL_MOD did not report the data that are there");
}

static void run_oneshot(struct result *result) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT};
  if (!make_set(EPOLLIN | EPOLLONESHOT, result) || !put()) return;
  REQUIRE(result, look(1000) == 1, "the event was not reported");
  REQUIRE(result, put() && look(0) == 0, "a one-shot entry reported twice");
  REQUIRE(result, epoll_ctl(set, EPOLL_CTL_MOD, ends[0], &event) == 0 && look(1000) == 1,
          "the re-armed entry did not report the data that are there");
  REQUIRE(result, look(0) == 0, "the re-armed entry reported twice");
}

static void run_timeout(struct result *result) {
  if (!make_set(EPOLLIN, result)) return;
  int64_t start = now_ns();
  int n = look(60);
  double ms = (double)(now_ns() - start) / 1e6;
  REQUIRE(result, n == 0, "epoll_wait gave %d", n);
  REQUIRE(result, ms >= 60 && ms < 2060, "the wait of 60 ms took %.3f ms", ms);
}

static void ignore_handler(int signal_number) { (void)signal_number; }
static void run_eintr(struct result *result) {
  struct sigaction action = {.sa_handler = ignore_handler, .sa_flags = SA_RESTART};
  struct itimerval time = {.it_value = {0, 30000}};
  if (!make_set(EPOLLIN, result)) return;
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &time, NULL);
  int n = look(3000);
  REQUIRE(result, n == -1 && errno == EINTR, "epoll_wait gave %d (%s) after a signal", n,
          error_name(n < 0 ? errno : 0));
}

static void run_closed(struct result *result) {
  if (!make_set(EPOLLIN, result) || !put()) return;
  close(ends[0]);
  int n = look(0);
  REQUIRE(result, n == 0, "a closed descriptor was reported");
}

static void run_errors(struct result *result) {
  struct epoll_event event = {.events = EPOLLIN};
  if (!make_set(EPOLLIN, result)) return;
  REQUIRE(result, epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event) == -1 && errno == EEXIST, "no EEXIST");
  REQUIRE(result, epoll_ctl(set, EPOLL_CTL_MOD, ends[1], &event) == -1 && errno == ENOENT, "no ENOENT");
  REQUIRE(result, epoll_wait(set, &event, 0, 0) == -1 && errno == EINVAL, "no EINVAL for room for 0 events");
  REQUIRE(result, epoll_wait(ends[0], &event, 1, 0) == -1 && errno == EINVAL, "no EINVAL for a pipe");
  REQUIRE(result, epoll_wait(9999, &event, 1, 0) == -1 && errno == EBADF, "no EBADF for a closed descriptor");
}

static void *late_writer(void *unused) {
  sleep_ms(30);
  return put() ? unused : NULL;
}
static void run_wake(struct result *result) {
  pthread_t thread;
  if (!make_set(EPOLLIN, result)) return;
  REQUIRE(result, pthread_create(&thread, NULL, late_writer, NULL) == 0, "pthread_create failed");
  int n = look(3000);
  pthread_join(thread, NULL);
  REQUIRE(result, n == 1, "a write by another thread did not end the wait: %d", n);
}

#define EPOLL(name_, run_, title_, clause_) \
  {.name = "events/epoll-" name_, .title = title_, .clause = clause_, .kind = KIND_EXTRA, .run = run_}

const struct test_case cases_epoll[] = {
  EPOLL("level", run_level, "a level is reported as long as it holds, with the data that were given", "epoll(7)"),
  EPOLL("edge", run_edge, "an edge is reported once, and again for more data", "epoll(7)"),
  EPOLL("oneshot", run_oneshot, "a one-shot entry reports once, and once more when re-armed", "epoll_ctl(2)"),
  EPOLL("timeout", run_timeout, "epoll_wait waits for its time-out", "epoll_wait(2)"),
  EPOLL("eintr", run_eintr, "epoll_wait ends with EINTR after a handler, with SA_RESTART too", "signal(7)"),
  EPOLL("closed", run_closed, "a descriptor that was closed leaves the set", "epoll(7)"),
  EPOLL("errors", run_errors, "wrong arguments give the errors that are documented", "epoll_ctl(2), epoll_wait(2)"),
  EPOLL("wake", run_wake, "a write by another thread ends the wait", "epoll_wait(2)"),
  {.title = NULL},
};

EMBED_SOURCE(cases_epoll_c);
