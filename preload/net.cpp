// Connecting, sending and receiving: each is one system call, and a cancellation point. And a socket's options.
//
// A descriptor that is sent to another process outlives the number's close here, and what it had registered in a
// private set goes on reporting: noting that it was sent lets the mirror begin anew when the number changes hands. One
// that is received takes a number like any other that comes. Messages are looked at after the call has taken them: they
// were memory then.
#include <cstring>
#include <sys/syscall.h>

#include "preload/descriptors.hpp"
#include "preload/point.hpp"

namespace kev::preload {

namespace {

template <typename Note>
void for_each_passed(const msghdr& message, Note note) {
  if (message.msg_control == nullptr) return;
  auto* header = const_cast<msghdr*>(&message);
  for (cmsghdr* part = CMSG_FIRSTHDR(header); part != nullptr; part = CMSG_NXTHDR(header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      note(fd);
    }
  }
}

// Whether any mirror was ever made: before, there is nobody to be told.
bool has_mirrors() { return process::fd_table_size.load(std::memory_order_relaxed) != 0; }

void note_sent(const msghdr& message) {
  if (has_mirrors()) for_each_passed(message, process::fd_shared);
}
void note_received(const msghdr& message) {
  if (has_mirrors()) for_each_passed(message, came);
}

ssize_t send_message(int fd, const msghdr* message, int flags) {
  if (!has_points(Family::net)) return behind<&Next::sendmsg>(fd, message, flags);
  return point(SYS_sendmsg, fd, message, flags);
}
int send_messages(int fd, mmsghdr* messages, unsigned count, int flags) {
  if (!has_points(Family::net)) return behind<&Next::sendmmsg>(fd, messages, count, flags);
  return static_cast<int>(point(SYS_sendmmsg, fd, messages, count, flags));
}
ssize_t receive_message(int fd, msghdr* message, int flags) {
  if (!has_points(Family::net)) return behind<&Next::recvmsg>(fd, message, flags);
  return point(SYS_recvmsg, fd, message, flags);
}
int receive_messages(int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout) {
  if (!has_points(Family::net)) return behind<&Next::recvmmsg>(fd, messages, count, flags, timeout);
  return static_cast<int>(point(SYS_recvmmsg, fd, messages, count, flags, timeout));
}

}  // namespace

}  // namespace kev::preload

using namespace kev::preload;

KEV_POINT(connect, net, int, (int fd, const sockaddr* to, socklen_t length), (fd, to, length),
          (SYS_connect, fd, to, length))
KEV_ALIAS(__connect, int, (int fd, const sockaddr* to, socklen_t length), kev_connect(fd, to, length))
KEV_POINT(send, net, ssize_t, (int fd, const void* data, size_t size, int flags), (fd, data, size, flags),
          (SYS_sendto, fd, data, size, flags, nullptr, 0))
KEV_ALIAS(__send, ssize_t, (int fd, const void* data, size_t size, int flags), kev_send(fd, data, size, flags))
KEV_POINT(sendto, net, ssize_t,
          (int fd, const void* data, size_t size, int flags, const sockaddr* to, socklen_t length),
          (fd, data, size, flags, to, length), (SYS_sendto, fd, data, size, flags, to, length))
KEV_POINT(recv, net, ssize_t, (int fd, void* buffer, size_t size, int flags), (fd, buffer, size, flags),
          (SYS_recvfrom, fd, buffer, size, flags, nullptr, nullptr))
KEV_POINT(recvfrom, net, ssize_t, (int fd, void* buffer, size_t size, int flags, sockaddr* from, socklen_t* length),
          (fd, buffer, size, flags, from, length), (SYS_recvfrom, fd, buffer, size, flags, from, length))

// The checked forms: where the buffer is too small, libc ends the program.
extern "C" ssize_t kev___recv_chk(int fd, void* buffer, size_t size, size_t bytes, int flags) {
  return size > bytes ? real().__recv_chk(fd, buffer, size, bytes, flags) : kev_recv(fd, buffer, size, flags);
}
extern "C" ssize_t kev___recvfrom_chk(int fd, void* buffer, size_t size, size_t bytes, int flags, sockaddr* from,
                                      socklen_t* length) {
  return size > bytes ? real().__recvfrom_chk(fd, buffer, size, bytes, flags, from, length)
                      : kev_recvfrom(fd, buffer, size, flags, from, length);
}

extern "C" KEV_HOT ssize_t kev_sendmsg(int fd, const msghdr* message, int flags) {
  ssize_t sent = send_message(fd, message, flags);
  if (sent >= 0) note_sent(*message);
  return sent;
}

extern "C" int kev_sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags) {
  int sent = send_messages(fd, messages, count, flags);
  for (int i = 0; i < sent; ++i) note_sent(messages[i].msg_hdr);
  return sent;
}

extern "C" KEV_HOT ssize_t kev_recvmsg(int fd, msghdr* message, int flags) {
  ssize_t received = receive_message(fd, message, flags);
  if (received >= 0) note_received(*message);
  return received;
}

extern "C" int kev_recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout) {
  int received = receive_messages(fd, messages, count, flags, timeout);
  for (int i = 0; i < received; ++i) note_received(messages[i].msg_hdr);
  return received;
}

extern "C" int kev_setsockopt(int fd, int level, int option, const void* value, socklen_t size) {
  int result = real().setsockopt(fd, level, option, value, size);
  option_was_set(fd, level, option);
  return result;
}
