// Operations that make sockets and hand descriptors over.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "world.h"

static int type_of(int type) {
  static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
  return types[(unsigned)type % 3] | SOCK_NONBLOCK;
}

static struct sockaddr_in loopback(void) {
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Packets go at once, so that nothing waits for a timer.
static void no_delay(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof on);
}

void op_socketpair(const int32_t* a) {
  int fds[2];
  int result = socketpair(AF_UNIX, type_of(a[2]), 0, fds);
  say_result(result);
  if (result < 0) return;
  say_new(a[0], fds[0]);
  say_new(a[1], fds[1]);
}

void op_socket(const int32_t* a) {
  static const int kinds[][2] = {{AF_UNIX, SOCK_STREAM}, {AF_INET, SOCK_STREAM}, {AF_INET, SOCK_DGRAM},
                                 {AF_UNIX, SOCK_DGRAM}};
  const int* kind = kinds[(unsigned)a[1] % 4];
  say_new(a[0], socket(kind[0], kind[1] | SOCK_NONBLOCK, 0));
}

void op_tcp_listen(const int32_t* a) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  say_new(a[0], fd);
  if (fd < 0) return;
  struct sockaddr_in address = loopback();
  say_result(bind(fd, (struct sockaddr*)&address, sizeof address));
  say_result(listen(fd, 8));
}

static void connect_to(int slot, int domain, int type, const void* address, socklen_t length) {
  int fd = socket(domain, type, 0);
  say_new(slot, fd);
  if (fd < 0) return;
  if (domain == AF_INET) no_delay(fd);
  say_result(connect(fd, address, length));
}

void op_tcp_connect(const int32_t* a) {
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  memset(&address, 0, sizeof address);
  bool there = getsockname(fd_of(a[1]), (struct sockaddr*)&address, &length) == 0 && address.sin_family == AF_INET &&
               address.sin_port != 0;
  say(there);
  if (there) connect_to(a[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, &address, sizeof address);
}

void op_tcp_refused(const int32_t* a) {
  // A port that is bound and not listened at.
  int bound = (int)raw(SYS_socket, AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = loopback();
  socklen_t length = sizeof address;
  raw(SYS_bind, bound, &address, sizeof address);
  raw(SYS_getsockname, bound, &address, &length);
  raw(SYS_close, bound);
  connect_to(a[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, &address, sizeof address);
}

void op_unix_listen(const int32_t* a) {
  int fd = socket(AF_UNIX, type_of(a[1]), 0);
  say_new(a[0], fd);
  if (fd < 0) return;
  sa_family_t only = AF_UNIX;  // the kernel chooses the name
  say_result(bind(fd, (struct sockaddr*)&only, sizeof only));
  say_result(listen(fd, 8));
}

void op_unix_connect(const int32_t* a) {
  struct sockaddr_un address;
  socklen_t length = sizeof address;
  memset(&address, 0, sizeof address);
  bool there = getsockname(fd_of(a[1]), (struct sockaddr*)&address, &length) == 0 && address.sun_family == AF_UNIX &&
               length > sizeof(sa_family_t);
  say(there);
  if (there) connect_to(a[0], AF_UNIX, type_of(a[2]), &address, length);
}

void op_accept(const int32_t* a) {
  int fd = a[2] == 1 ? accept(fd_of(a[1]), NULL, NULL) : accept4(fd_of(a[1]), NULL, NULL, SOCK_NONBLOCK);
  int error = errno;
  make_nonblocking(fd);
  if (fd >= 0) no_delay(fd);
  errno = error;
  say_new(a[0], fd);
}

void op_udp_pair(const int32_t* a) {
  int fds[2] = {-1, -1};
  struct sockaddr_in address[2];
  for (int i = 0; i < 2; ++i) {
    fds[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    say_new(a[i], fds[i]);
    if (fds[i] < 0) return;
    address[i] = loopback();
    socklen_t length = sizeof address[i];
    bind(fds[i], (struct sockaddr*)&address[i], length);
    getsockname(fds[i], (struct sockaddr*)&address[i], &length);
  }
  for (int i = 0; i < 2; ++i) say_result(connect(fds[i], (struct sockaddr*)&address[1 - i], sizeof address[0]));
}

// Not a unix socket: one that is left in a queue is closed by the kernel's collector, whenever that comes round.
static bool is_unix_socket(int fd) {
  int domain = 0;
  socklen_t length = sizeof domain;
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX;
}

void op_scm_send(const int32_t* a) {
  if (is_unix_socket(fd_of(a[1]))) return say(0);
  char byte = 'f';
  struct iovec data = {&byte, 1};
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control;
  memset(&control, 0, sizeof control);
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control,
                           .msg_controllen = sizeof control.bytes};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  int fd = fd_of(a[1]);
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  struct mmsghdr messages[1] = {{message, 0}};
  say_result(a[2] == 1 ? sendmmsg(fd_of(a[0]), messages, 1, MSG_NOSIGNAL)
                       : sendmsg(fd_of(a[0]), &message, MSG_NOSIGNAL));
}

void op_scm_recv(const int32_t* a) {
  char bytes[16];
  struct iovec data = {bytes, sizeof bytes};
  union {
    char bytes[CMSG_SPACE(sizeof(int) * 2)];
    struct cmsghdr align;
  } control;
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control,
                           .msg_controllen = sizeof control.bytes};
  struct mmsghdr messages[1] = {{message, 0}};
  ssize_t result;
  if (a[2] == 1) {
    result = recvmmsg(fd_of(a[1]), messages, 1, MSG_DONTWAIT, NULL);
    message = messages[0].msg_hdr;
    if (result == 1) result = messages[0].msg_len;
  } else {
    result = recvmsg(fd_of(a[1]), &message, MSG_DONTWAIT);
  }
  say_result(result);
  if (result < 0) return;
  say(message.msg_flags);
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == NULL || header->cmsg_type != SCM_RIGHTS) return;
  int fds[2] = {-1, -1};
  size_t got = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  memcpy(fds, CMSG_DATA(header), (got < 2 ? got : 2) * sizeof(int));
  say_new(a[0], fds[0]);
  if (got > 1) say(fds[1]);
}
