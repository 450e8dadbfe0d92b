// Operations that move data. All descriptors are non-blocking but those of files, which never wait.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "world.h"

enum { MOST = 8192 };

static char* pattern(void) {
  static char bytes[MOST];
  if (bytes[0] == 0)
    for (int i = 0; i < MOST; ++i) bytes[i] = (char)(1 + i % 251);
  return bytes;
}

static size_t at_most(int count) { return (unsigned)count % (MOST + 1); }

// Whether what is read is the same in both worlds: not text of the kernel's, nor a packet's source.
static bool is_comparable(int fd) {
  struct stat status;
  if (raw(SYS_fstat, fd, &status) != 0) return false;
  return S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) || S_ISCHR(status.st_mode);
}

static void say_read(int fd, const char* bytes, ssize_t count) {
  if (is_comparable(fd))
    say_bytes(bytes, count);
  else
    say_result(count < 0 ? count : count > 0);
}

void op_write(const int32_t* a) {
  int fd = fd_of(a[0]);
  if (fd < 3) return say(0);
  ssize_t result;
  struct stat status;
  // A counter takes eight bytes.
  if (raw(SYS_fstat, fd, &status) == 0 && (status.st_mode & S_IFMT) == 0) {
    uint64_t one = (unsigned)a[1] % 3 + 1;
    result = write(fd, &one, sizeof one);
  } else {
    result = write(fd, pattern(), at_most(a[1]));
  }
  say_result(result);
  settle_terminal(fd);
}

void op_writev(const int32_t* a) {
  int fd = fd_of(a[0]);
  if (fd < 3) return say(0);
  struct iovec parts[2] = {{pattern(), at_most(a[1]) / 2}, {pattern() + 5, at_most(a[1]) / 3}};
  say_result(writev(fd, parts, 2));
  settle_terminal(fd);
}

void op_read(const int32_t* a) {
  char bytes[MOST];
  size_t count = at_most(a[1]);
  say_read(fd_of(a[0]), bytes, read(fd_of(a[0]), bytes, count < 8 ? 8 : count));
}

void op_readv(const int32_t* a) {
  char bytes[MOST];
  size_t half = at_most(a[1]) / 2;
  struct iovec parts[2] = {{bytes, half}, {bytes + half, half}};
  say_read(fd_of(a[0]), bytes, readv(fd_of(a[0]), parts, 2));
}

void op_send(const int32_t* a) { say_result(send(fd_of(a[0]), pattern(), at_most(a[1]), a[2] | MSG_NOSIGNAL)); }

void op_recv(const int32_t* a) {
  char bytes[MOST];
  say_bytes(bytes, recv(fd_of(a[0]), bytes, at_most(a[1]), a[2] | MSG_DONTWAIT));
}

// How much fits is the kernel's affair, and the same in both worlds but for TCP, whose buffers grow.
void op_fill(const int32_t* a) {
  int fd = fd_of(a[0]);
  struct stat status;
  if (fd < 3 || raw(SYS_fstat, fd, &status) != 0 || !(S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)))
    return say(0);
  int domain = 0;
  socklen_t length = sizeof domain;
  if (S_ISSOCK(status.st_mode) &&
      (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0 || domain != AF_UNIX))
    return say(0);
  int written = 0;
  while (written < 1000 && write(fd, pattern(), 4096) > 0) ++written;
  say(written);
}

void op_drain(const int32_t* a) {
  char bytes[MOST];
  struct stat status;
  if (raw(SYS_fstat, fd_of(a[0]), &status) != 0 || S_ISREG(status.st_mode) || status.st_rdev >> 8 == 1) return say(0);
  ssize_t total = 0;
  ssize_t got;
  for (int i = 0; i < 1000 && (got = read(fd_of(a[0]), bytes, sizeof bytes)) > 0; ++i) total += got;
  say((int)total);
}

void op_splice(const int32_t* a) {
  say_result(splice(fd_of(a[0]), NULL, fd_of(a[1]), NULL, at_most(a[2]), SPLICE_F_NONBLOCK));
  settle_terminal(fd_of(a[1]));
}

void op_tee(const int32_t* a) { say_result(tee(fd_of(a[0]), fd_of(a[1]), at_most(a[2]), SPLICE_F_NONBLOCK)); }

void op_sendfile(const int32_t* a) {
  if (fd_of(a[0]) < 3) return say(0);
  say_result(sendfile(fd_of(a[0]), fd_of(a[1]), NULL, at_most(a[2]) % 64));
  settle_terminal(fd_of(a[0]));
}

void op_sockopt(const int32_t* a) {
  int fd = fd_of(a[0]);
  int value = 1;
  struct linger linger = {1, 0};
  switch ((unsigned)a[1] % OPTIONS) {
    case OPTION_OOBINLINE: say_result(setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &value, sizeof value)); break;
    case OPTION_LINGER: say_result(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger)); break;
    case OPTION_LOWAT:
      value = 10;
      say_result(setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof value));
      break;
    default:
      value = 4096;
      say_result(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, sizeof value));
  }
}
