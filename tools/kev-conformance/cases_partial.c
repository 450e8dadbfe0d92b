// Transfers of which a part is done when the request comes. Interrupted by a signal they would return the count, not
// EINTR: so a request must not hide that part. The call returns the count, and the next cancellation point acts.
#define _GNU_SOURCE 1
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PARTIAL_TRIES = 10, PARTIAL_SIZE = 1 << 20, PARTIAL_PATIENCE_MS = 3000 };

static char big[PARTIAL_SIZE];

struct transfer {
  ssize_t (*call)(struct transfer *);
  int fd[2]; // fd[0] receives, fd[1] sends
  ssize_t count;
  int error;
  atomic_int tid, returned, ended;
};

static ssize_t call_write(struct transfer *x) { return write(x->fd[1], big, sizeof big); }
static ssize_t call_writev(struct transfer *x) {
  struct iovec parts[2] = {{big, sizeof big / 2}, {big, sizeof big / 2}};
  return writev(x->fd[1], parts, 2);
}
static ssize_t call_send(struct transfer *x) { return send(x->fd[1], big, sizeof big, MSG_NOSIGNAL); }
static ssize_t call_sendmsg(struct transfer *x) {
  struct iovec part = {big, sizeof big};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  return sendmsg(x->fd[1], &message, MSG_NOSIGNAL);
}
static ssize_t call_recv(struct transfer *x) { return recv(x->fd[0], big, 100, MSG_WAITALL); }

static void transfer_ended(void *argument) {
  struct transfer *x = argument;
  atomic_store(&x->ended, 1);
}
static void *transfer_body(void *argument) {
  struct transfer *x = argument;
  pthread_cleanup_push(transfer_ended, x);
  atomic_store(&x->tid, gettid());
  x->count = x->call(x);
  x->error = errno;
  atomic_store(&x->returned, 1);
  pthread_testcancel();
  pthread_cleanup_pop(1);
  return NULL;
}

// Starts the transfer, waits until it is stuck half-way, cancels it.
static bool cancel_half_way(struct transfer *x, struct result *result) {
  pthread_t thread;
  atomic_store(&x->tid, 0);
  atomic_store(&x->returned, 0);
  atomic_store(&x->ended, 0);
  if (pthread_create(&thread, NULL, transfer_body, x) != 0) {
    skip(result, "pthread_create failed");
    return false;
  }
  for (int i = 0; i < 2000 && !(atomic_load(&x->tid) != 0 && thread_sleeps(atomic_load(&x->tid))); i++) sleep_ms(1);
  pthread_cancel(thread);
  if (!wait_for(&x->ended, 1, PARTIAL_PATIENCE_MS)) {
    hang(result, "the half-done call was not woken within %d ms", PARTIAL_PATIENCE_MS);
    return false;
  }
  return thread_is_cancelled(thread, result, "the thread");
}

static void sending(ssize_t (*call)(struct transfer *), bool sockets, struct result *result) {
  unsigned hidden = 0;
  for (int i = 0; i < PARTIAL_TRIES; i++) {
    struct transfer x = {.call = call};
    int waiting = 0;
    bool made = sockets ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, x.fd) == 0 : pipe2(x.fd, O_CLOEXEC) == 0;
    REQUIRE(result, made, "no pipe or socket pair: %s", error_name(errno));
    if (!cancel_half_way(&x, result)) return;
    // FIONREAD of a socket of this kind counts one message only: everything is read instead.
    set_nonblocking(x.fd[0]);
    for (ssize_t n; (n = read(x.fd[0], big, sizeof big)) > 0;) waiting += (int)n;
    close(x.fd[0]);
    close(x.fd[1]);
    if (!atomic_load(&x.returned)) {
      hidden += waiting > 0;
    } else {
      REQUIRE(result, x.count == waiting, "the call returned %zd (%s) but %d bytes went out", x.count,
              error_name(x.count < 0 ? x.error : 0), waiting);
    }
  }
  REQUIRE(result, hidden == 0, "in %u of %d tries a part was sent, and the cancelled thread does not know the count",
          hidden, PARTIAL_TRIES);
}
static void run_write(struct result *result) { sending(call_write, false, result); }
static void run_writev(struct result *result) { sending(call_writev, false, result); }
static void run_send(struct result *result) { sending(call_send, true, result); }
static void run_sendmsg(struct result *result) { sending(call_sendmsg, true, result); }

static void run_recv(struct result *result) {
  unsigned hidden = 0;
  for (int i = 0; i < PARTIAL_TRIES; i++) {
    struct transfer x = {.call = call_recv};
    int left = -1;
    REQUIRE(result, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, x.fd) == 0, "socketpair: %s", error_name(errno));
    REQUIRE(result, write(x.fd[1], "half", 4) == 4, "write: %s", error_name(errno));
    if (!cancel_half_way(&x, result)) return;
    ioctl(x.fd[0], FIONREAD, &left);
    close(x.fd[0]);
    close(x.fd[1]);
    if (!atomic_load(&x.returned)) {
      hidden += left != 4;
    } else {
      REQUIRE(result, x.count == 4 - left, "the call returned %zd but %d bytes were taken", x.count, 4 - left);
    }
  }
  REQUIRE(result, hidden == 0, "in %u of %d tries a part was received, and the thread was cancelled without knowing it",
          hidden, PARTIAL_TRIES);
}

#define PARTIAL(function, what)                                                                                   \
  {.name = "partial/" #function, .title = "a request does not hide the part of " #function " that is done",       \
   .clause = "POSIX.1-2017 XSH 2.9.5.2; " what, .kind = KIND_REQUIRED, .run = run_##function}

const struct test_case cases_partial[] = {
  PARTIAL(write, "write (interrupted after some data: the count)"),
  PARTIAL(writev, "write (interrupted after some data: the count)"),
  PARTIAL(send, "send"),
  PARTIAL(sendmsg, "sendmsg"),
  PARTIAL(recv, "recv (MSG_WAITALL may return less if a signal is caught)"),
  {.title = NULL},
};

EMBED_SOURCE(cases_partial_c);
