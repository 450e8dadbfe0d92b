// The calls that make connections: accept, accept4, connect.
//
// A loss of accept is exact: the client is connected, the queue of the listener is empty, and no descriptor is known
// to anybody. connect blocks because the queue of the listener is full; over TCP it ends at once, but does all the work
// of both sides in the call. What connect leaves after EINTR is unspecified, so a loss there is a matter of quality.
#define _GNU_SOURCE 1
#include "support.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// fd[0] listens on an address that the kernel chose; it is kept in `address`.
static struct sockaddr_un address;
static socklen_t address_length;
static struct sockaddr_storage tcp_address;

static int local_socket(void) { return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); }

static bool make_listener(struct trial *t, int queue) {
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  address_length = sizeof address;
  t->fd[0] = local_socket();
  return t->fd[0] >= 0 && bind(t->fd[0], (struct sockaddr *)&address, sizeof(sa_family_t)) == 0 &&
         listen(t->fd[0], queue) == 0 && getsockname(t->fd[0], (struct sockaddr *)&address, &address_length) == 0;
}

static bool accept_setup(struct trial *t) {
  if (!make_listener(t, 4)) return false;
  t->fd[1] = local_socket();
  t->fd[3] = lowest_free_descriptor();
  t->number = t->fd[3];
  t->fd[3] = -1;
  return t->fd[1] >= 0;
}

static void accept_succeed(struct trial *t) {
  t->saved = connect(t->fd[1], (struct sockaddr *)&address, address_length);
}

static bool accept_effect(struct trial *t) {
  set_nonblocking(t->fd[0]);
  int fd = accept(t->fd[0], NULL, NULL);
  if (fd >= 0) {
    close(fd);
    return false;
  }
  // The connection went to the lowest descriptor that was free before.
  if (!t->keep_leaks && !atomic_load(&t->returned)) close(t->number);
  return true;
}

static void accept_teardown(struct trial *t) {
  if (atomic_load(&t->returned) && t->value >= 0) close((int)t->value);
}

static void call_accept(struct trial *t) { TRIAL_CALL(t, accept(t->fd[0], NULL, NULL)); }
static void call_accept4(struct trial *t) { TRIAL_CALL(t, accept4(t->fd[0], NULL, NULL, SOCK_CLOEXEC)); }

// A queue of length 0 holds one connection, which fd[1] takes.
static bool connect_setup(struct trial *t) {
  if (!make_listener(t, 0)) return false;
  t->fd[1] = local_socket();
  t->fd[2] = local_socket();
  return t->fd[2] >= 0 && connect(t->fd[1], (struct sockaddr *)&address, address_length) == 0;
}

static void connect_succeed(struct trial *t) { t->fd[3] = accept(t->fd[0], NULL, NULL); }

static bool connect_effect(struct trial *t) {
  struct sockaddr_un peer;
  socklen_t length = sizeof peer;
  return getpeername(t->fd[2], (struct sockaddr *)&peer, &length) == 0;
}

static void call_connect(struct trial *t) {
  TRIAL_CALL(t, connect(t->fd[2], (struct sockaddr *)&address, address_length));
}

static bool tcp_setup(struct trial *t) {
  struct sockaddr_in *here = (struct sockaddr_in *)&tcp_address;
  socklen_t length = sizeof tcp_address;
  memset(&tcp_address, 0, sizeof tcp_address);
  here->sin_family = AF_INET;
  here->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  t->fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  t->fd[2] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  return t->fd[0] >= 0 && t->fd[2] >= 0 && bind(t->fd[0], (struct sockaddr *)here, sizeof *here) == 0 &&
         listen(t->fd[0], 4) == 0 && getsockname(t->fd[0], (struct sockaddr *)&tcp_address, &length) == 0;
}

// Without TIME_WAIT, so that many rounds do not use up the ports.
static void tcp_teardown(struct trial *t) {
  struct linger at_once = {1, 0};
  setsockopt(t->fd[2], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

static void call_connect_tcp(struct trial *t) {
  TRIAL_CALL(t, connect(t->fd[2], (struct sockaddr *)&tcp_address, sizeof(struct sockaddr_in)));
}

#define LOST "the client is connected, and nobody has the descriptor"
#define LOST_CONNECT "the socket is connected although the thread says that it was cancelled"

const struct point points_connection[] = {
  {.name = "accept", .kind = KIND_REQUIRED, .clause = POSIX_2017,
   .flags = POINT_BLOCKS | POINT_EFFECT | POINT_DESCRIPTOR, .lost = LOST, .setup = accept_setup,
   .call = call_accept, .succeed = accept_succeed, .effect = accept_effect, .teardown = accept_teardown},
  {.name = "accept4", .kind = KIND_REQUIRED, .clause = POSIX_2024,
   .flags = POINT_BLOCKS | POINT_EFFECT | POINT_DESCRIPTOR, .lost = LOST, .setup = accept_setup,
   .call = call_accept4, .succeed = accept_succeed, .effect = accept_effect, .teardown = accept_teardown},
  {.name = "connect", .kind = KIND_REQUIRED, .clause = POSIX_2017,
   .flags = POINT_BLOCKS | POINT_EFFECT | POINT_EINTR_DONE, .lost = LOST_CONNECT, .setup = connect_setup,
   .call = call_connect, .succeed = connect_succeed, .effect = connect_effect},
  {.name = "connect-tcp", .kind = KIND_REQUIRED, .clause = POSIX_2017, .flags = POINT_EFFECT | POINT_EINTR_GOES_ON,
   .lost = LOST_CONNECT, .setup = tcp_setup, .call = call_connect_tcp, .effect = connect_effect,
   .teardown = tcp_teardown},
  {.name = NULL},
};

EMBED_SOURCE(points_connection_c);
