// sendmsg and sendmmsg: descriptors that are sent to another process.
//
// A file that another process has outlives the number's close here, and what it had registered in a private set goes
// on reporting. Noting that it was sent lets the mirror begin anew when the number changes hands. Looked at after the
// call has succeeded: the message was memory then.
#include <cstring>

#include "preload/shim.hpp"
#include "process/fd_table.hpp"

namespace kev::preload {

namespace {

void note_sent(const msghdr& message) {
  if (message.msg_control == nullptr) return;
  auto* header = const_cast<msghdr*>(&message);
  for (cmsghdr* part = CMSG_FIRSTHDR(header); part != nullptr; part = CMSG_NXTHDR(header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      process::fd_shared(fd);
    }
  }
}

}  // namespace

}  // namespace kev::preload

using namespace kev::preload;

extern "C" ssize_t kev_sendmsg(int fd, const msghdr* message, int flags) {
  ssize_t sent = real().sendmsg(fd, message, flags);
  if (sent >= 0 && kev::process::fd_table_size.load(std::memory_order_relaxed) != 0) note_sent(*message);
  return sent;
}

extern "C" int kev_sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags) {
  int sent = real().sendmmsg(fd, messages, count, flags);
  if (kev::process::fd_table_size.load(std::memory_order_relaxed) != 0)
    for (int i = 0; i < sent; ++i) note_sent(messages[i].msg_hdr);
  return sent;
}
