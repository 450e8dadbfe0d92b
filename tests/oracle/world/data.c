// Operations that move data. All descriptors are non-blocking but those of files, which never wait.
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <termios.h>
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

ssize_t __write(int, const void*, size_t);
ssize_t __read(int, void*, size_t);
ssize_t __read_chk(int, void*, size_t, size_t);
ssize_t __recv_chk(int, void*, size_t, size_t, int);
ssize_t __recvfrom_chk(int, void*, size_t, size_t, int, struct sockaddr*, socklen_t*);

enum { HERE = -1 };  // where the file's position is

static ssize_t write_by(int way, int fd, void* bytes, size_t count) {
  struct iovec part = {bytes, count};
  struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
  switch (way) {
    case 1: return __write(fd, bytes, count);
    case 2: return pwritev2(fd, &part, 1, HERE, 0);
    case 3: return sendto(fd, bytes, count, MSG_NOSIGNAL, NULL, 0);
    case 4: return sendmmsg(fd, &message, 1, MSG_NOSIGNAL) == 1 ? (ssize_t)message.msg_len : -1;
    case 5: return vmsplice(fd, &part, 1, SPLICE_F_NONBLOCK);
    case 6: return pwrite(fd, bytes, count, 3);
    case 7: return pwritev(fd, &part, 1, 3);
    default: return write(fd, bytes, count);
  }
}

static ssize_t read_by(int way, int fd, void* bytes, size_t count) {
  struct iovec part = {bytes, count};
  struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
  switch (way) {
    case 1: return __read(fd, bytes, count);
    case 2: return preadv2(fd, &part, 1, HERE, 0);
    case 3: return recvfrom(fd, bytes, count, MSG_DONTWAIT, NULL, NULL);
    case 4: return recvmmsg(fd, &message, 1, MSG_DONTWAIT, NULL) == 1 ? (ssize_t)message.msg_len : -1;
    case 5: return __read_chk(fd, bytes, count, MOST);
    case 6: return pread(fd, bytes, count, 3);
    case 7: return preadv(fd, &part, 1, 3);
    default: return read(fd, bytes, count);
  }
}

static bool is_anonymous(int fd) {
  struct stat status;
  return raw(SYS_fstat, fd, &status) == 0 && (status.st_mode & S_IFMT) == 0;
}

void op_write(const int32_t* a) {
  int fd = fd_of(a[0]);
  if (fd < 3) return say(0);
  ssize_t result;
  // A counter takes eight bytes.
  if (is_anonymous(fd)) {
    uint64_t one = (unsigned)a[1] % 3 + 1;
    result = a[2] == 1 ? eventfd_write(fd, one) : write(fd, &one, sizeof one);
  } else {
    result = write_by(a[2], fd, pattern(), at_most(a[1]));
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
  eventfd_t value;
  if (a[2] == 1 && is_anonymous(fd_of(a[0]))) return say_result(eventfd_read(fd_of(a[0]), &value));
  say_read(fd_of(a[0]), bytes, read_by(a[2], fd_of(a[0]), bytes, count < 8 ? 8 : count));
}

void op_readv(const int32_t* a) {
  char bytes[MOST];
  size_t half = at_most(a[1]) / 2;
  struct iovec parts[2] = {{bytes, half}, {bytes + half, half}};
  say_read(fd_of(a[0]), bytes, readv(fd_of(a[0]), parts, 2));
}

void op_send(const int32_t* a) {
  int flags = a[2] | MSG_NOSIGNAL;
  say_result(a[3] == 1 ? sendto(fd_of(a[0]), pattern(), at_most(a[1]), flags, NULL, 0)
                       : send(fd_of(a[0]), pattern(), at_most(a[1]), flags));
}

void op_recv(const int32_t* a) {
  char bytes[MOST];
  int flags = a[2] | MSG_DONTWAIT;
  ssize_t result;
  switch (a[3]) {
    case 1: result = __recv_chk(fd_of(a[0]), bytes, at_most(a[1]), MOST, flags); break;
    case 2: result = __recvfrom_chk(fd_of(a[0]), bytes, at_most(a[1]), MOST, flags, NULL, NULL); break;
    default: result = recv(fd_of(a[0]), bytes, at_most(a[1]), flags);
  }
  say_bytes(bytes, result);
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

void op_flush(const int32_t* a) {
  int fd = fd_of(a[0]);
  char bytes[16];
  if (fd < 3) return say(0);
  switch (a[2]) {
    case 1: return say_result(fdatasync(fd));
    case 2: return say_result(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
    case 3: return say_result(fallocate(fd, 0, 0, 64));
    case 4: return say_result(copy_file_range(fd, NULL, fd_of(a[1]), NULL, 16, 0));
    case 5: return say_result(tcdrain(fd));
    case 6: return say_result(msync((void*)((uintptr_t)shared & -4096ul), 4096, MS_ASYNC));
    case 7: return say_result(getrandom(bytes, sizeof bytes, 0));
    default: return say_result(fsync(fd));
  }
}

// A System V queue that nobody else knows.
static void send_to_oneself(size_t count) {
  struct {
    long type;
    char bytes[64];
  } message = {1, "text"};
  int queue = msgget(IPC_PRIVATE, 0600);
  say(queue >= 0);
  say_result(msgsnd(queue, &message, count, IPC_NOWAIT));
  say_result(msgrcv(queue, &message, sizeof message.bytes, 0, IPC_NOWAIT));
  say_result(msgrcv(queue, &message, sizeof message.bytes, 0, IPC_NOWAIT));
  msgctl(queue, IPC_RMID, NULL);
}

void op_message(const int32_t* a) {
  struct timespec past = {0, 0};
  char bytes[64];
  size_t count = (unsigned)a[1] % 65;
  unsigned priority = 0;
  switch (a[2]) {
    case 1: return say_result(mq_timedsend(fd_of(a[0]), pattern(), count, 2, &past));
    case 2:
    case 3: return say_bytes(bytes, mq_receive(fd_of(a[0]), bytes, sizeof bytes, &priority));
    case 4: return say_bytes(bytes, mq_timedreceive(fd_of(a[0]), bytes, sizeof bytes, &priority, &past));
    case 5: return send_to_oneself(count);
    default: return say_result(mq_send(fd_of(a[0]), pattern(), count, 1));
  }
}

// Whether a small send buffer has room is a matter of when the peer's kernel acknowledges: natively too.
static bool waits_for_acknowledgements(int fd) {
  int domain = 0;
  socklen_t size = sizeof domain;
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_INET;
}

void op_sockopt(const int32_t* a) {
  int fd = fd_of(a[0]);
  int value = 1;
  struct linger linger = {1, 0};
  switch ((unsigned)a[1] % OPTIONS) {
    case OPTION_OOBINLINE:
      say_result(setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &value, sizeof value));
      break;
    case OPTION_LINGER: say_result(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger)); break;
    case OPTION_LOWAT:
      value = 10;
      say_result(setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof value));
      break;
    default:
      if (waits_for_acknowledgements(fd)) break;
      value = 4096;
      say_result(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, sizeof value));
  }
}
