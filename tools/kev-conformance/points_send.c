// The sending calls on a socket pair: send, sendto, sendmsg, sendmmsg.
//
// The sender's buffer is full, so a byte more blocks until the receiver has taken everything. A loss is a message that
// went out although the thread says that it was cancelled.
#define _GNU_SOURCE 1
#include "support.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool pair_setup(struct trial *t) {
  int size = 1;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, t->fd) != 0) return false;
  if (setsockopt(t->fd[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size) != 0) return false;
  t->number = 0;
  while (send(t->fd[1], "f", 1, MSG_DONTWAIT) == 1) t->number++;
  return errno == EAGAIN;
}

// Takes exactly what setup put in: the marked byte, which may follow at once, is left for `pair_effect` to find.
static void pair_succeed(struct trial *t) {
  char bytes[4096];
  for (int left = t->number; left > 0;) {
    size_t want = left < (int)sizeof bytes ? (size_t)left : sizeof bytes;
    ssize_t n = recv(t->fd[0], bytes, want, MSG_DONTWAIT);
    if (n <= 0) return;
    left -= (int)n;
  }
}

static bool pair_effect(struct trial *t) { return drain_finds(t->fd[0], 'X'); }

static void call_send(struct trial *t) { TRIAL_CALL(t, send(t->fd[1], "X", 1, MSG_NOSIGNAL)); }

static void call_sendto(struct trial *t) { TRIAL_CALL(t, sendto(t->fd[1], "X", 1, MSG_NOSIGNAL, NULL, 0)); }

static void call_sendmsg(struct trial *t) {
  struct iovec part = {"X", 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  TRIAL_CALL(t, sendmsg(t->fd[1], &message, MSG_NOSIGNAL));
}

static void call_sendmmsg(struct trial *t) {
  struct iovec part = {"X", 1};
  struct mmsghdr message;
  memset(&message, 0, sizeof message);
  message.msg_hdr.msg_iov = &part;
  message.msg_hdr.msg_iovlen = 1;
  TRIAL_CALL(t, sendmmsg(t->fd[1], &message, 1, MSG_NOSIGNAL));
}

#define LOST "the message went out although the thread says that it was cancelled"
#define SENDING(function, kind_, clause_)                                                                         \
  {.name = #function, .kind = kind_, .clause = clause_, .flags = POINT_BLOCKS | POINT_EFFECT, .lost = LOST,       \
   .setup = pair_setup, .call = call_##function, .succeed = pair_succeed, .effect = pair_effect}

const struct point points_send[] = {
  SENDING(send, KIND_REQUIRED, POSIX_2017),
  SENDING(sendto, KIND_REQUIRED, POSIX_2017),
  SENDING(sendmsg, KIND_REQUIRED, POSIX_2017),
  SENDING(sendmmsg, KIND_EXTRA, GLIBC_EXTRA),
  {.name = NULL},
};

EMBED_SOURCE(points_send_c);
