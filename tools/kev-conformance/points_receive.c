// The receiving calls on a socket pair: recv, recvfrom, recvmsg, recvmmsg.
//
// A loss is exact: the datagram is no longer in the socket and no thread was told of it.
#define _GNU_SOURCE 1
#include "support.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static bool pair_setup(struct trial *t) {
  return socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, t->fd) == 0;
}

static void pair_succeed(struct trial *t) { t->saved = (int)send(t->fd[1], "x", 1, 0); }

static bool pair_effect(struct trial *t) {
  char byte;
  return recv(t->fd[0], &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0;
}

static void call_recv(struct trial *t) { TRIAL_CALL(t, recv(t->fd[0], t->buffer, sizeof t->buffer, 0)); }

static void call_recvfrom(struct trial *t) {
  struct sockaddr_storage from;
  socklen_t length = sizeof from;
  TRIAL_CALL(t, recvfrom(t->fd[0], t->buffer, sizeof t->buffer, 0, (struct sockaddr *)&from, &length));
}

static void call_recvmsg(struct trial *t) {
  struct iovec part = {t->buffer, sizeof t->buffer};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  TRIAL_CALL(t, recvmsg(t->fd[0], &message, 0));
}

static void call_recvmmsg(struct trial *t) {
  struct iovec part = {t->buffer, sizeof t->buffer};
  struct mmsghdr message;
  memset(&message, 0, sizeof message);
  message.msg_hdr.msg_iov = &part;
  message.msg_hdr.msg_iovlen = 1;
  TRIAL_CALL(t, recvmmsg(t->fd[0], &message, 1, 0, NULL));
}

#define LOST "the datagram was taken out of the socket, and nobody has it"
#define RECEIVING(function, kind_, clause_)                                                                       \
  {.name = #function, .kind = kind_, .clause = clause_, .flags = POINT_BLOCKS | POINT_EFFECT, .lost = LOST,       \
   .setup = pair_setup, .call = call_##function, .succeed = pair_succeed, .effect = pair_effect}

const struct point points_receive[] = {
  RECEIVING(recv, KIND_REQUIRED, POSIX_2017),
  RECEIVING(recvfrom, KIND_REQUIRED, POSIX_2017),
  RECEIVING(recvmsg, KIND_REQUIRED, POSIX_2017),
  RECEIVING(recvmmsg, KIND_EXTRA, GLIBC_EXTRA),
  {.name = NULL},
};

EMBED_SOURCE(points_receive_c);
