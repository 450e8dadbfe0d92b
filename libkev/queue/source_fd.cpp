// Descriptors: readiness, and on request what comes with it.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "os/poll.hpp"
#include "queue/queue.hpp"

namespace kev::queue {

namespace {

constexpr uint32_t kBits = KEV_IN | KEV_PRI | KEV_OUT | KEV_ERR | KEV_HUP | KEV_RDHUP;
static_assert(KEV_IN == EPOLLIN && KEV_PRI == EPOLLPRI && KEV_OUT == EPOLLOUT && KEV_ERR == EPOLLERR &&
              KEV_HUP == EPOLLHUP && KEV_RDHUP == EPOLLRDHUP);

uint32_t epoll_bits(uint32_t what, uint32_t flags) {
  uint32_t bits = what;
  if ((flags & KEV_EDGE) != 0) bits |= EPOLLET;
  if ((flags & (KEV_ONESHOT | KEV_DISPATCH)) != 0) bits |= EPOLLONESHOT;
  return bits;
}

uint64_t socket_option(int fd, int level, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  long error = arch::syscall(SYS_getsockopt, fd, level, option, reinterpret_cast<long>(&value),
                             reinterpret_cast<long>(&size));
  return error == 0 ? static_cast<uint64_t>(value) : 0;
}

void fill_data(int fd, kev_event& event) {
  int bytes = 0;
  if ((event.what & KEV_IN) != 0 && arch::syscall(SYS_ioctl, fd, FIONREAD, reinterpret_cast<long>(&bytes)) == 0)
    event.result = bytes;
  if ((event.what & KEV_ERR) != 0) event.data[1] = socket_option(fd, SOL_SOCKET, SO_ERROR);
  if ((event.what & KEV_IN) != 0 && socket_option(fd, SOL_SOCKET, SO_ACCEPTCONN) != 0) {
    tcp_info info = {};
    socklen_t size = sizeof info;
    // Of a listening socket this is the length of its queue.
    if (arch::syscall(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, reinterpret_cast<long>(&info),
                      reinterpret_cast<long>(&size)) == 0)
      event.data[2] = info.tcpi_unacked;
  }
}

}  // namespace

int start_fd(Queue& queue, Entry& entry, const kev_change& change, bool modify) {
  if (change.ident > INT32_MAX) return -EBADF;
  if ((change.what & ~kBits) != 0) return -EINVAL;
  for (uint64_t arg : change.arg)
    if (arg != 0) return -EINVAL;
  uint32_t bits = epoll_bits(change.what, change.flags);
  uint64_t token = entry.reference().token();
  if (modify) leave_ring(queue, entry, true);
  int error = modify ? queue.watcher.change(entry.fd(), bits, token) : queue.watcher.arm(entry.fd(), bits, token);
  // A oneshot that has reported is left in the set, and is silent there.
  if (!modify && error == -EEXIST) error = queue.watcher.change(entry.fd(), bits, token);
  if (error < 0) return error;
  entry.what = change.what;
  return 0;
}

int enable_watched(Queue& queue, Entry& entry, bool enabled) {
  bool is_process = entry.source.load(std::memory_order_relaxed) == KEV_SOURCE_PROCESS;
  uint32_t bits = is_process ? EPOLLIN | EPOLLONESHOT
                             : epoll_bits(entry.what, entry.flags.load(std::memory_order_relaxed));
  leave_ring(queue, entry, true);
  // With nothing asked for and one report, which is taken for none, it is as good as not there.
  if (!enabled) bits = EPOLLONESHOT;
  return queue.watcher.change(entry.fd(), bits, entry.reference().token());
}

bool fill_fd(Queue& queue, Entry& entry, kev_event& event) {
  uint32_t bits = entry.bits;
  entry.bits = 0;
  if (entry.has(KEV_RECHECK)) {
    pollfd look = {entry.fd(), static_cast<short>(entry.what), 0};
    bits = os::poll_now(&look, 1) == 1 ? static_cast<uint16_t>(look.revents) : 0;
    if (bits == 0 || (bits & POLLNVAL) != 0) {
      // It was disarmed for an event that there is not.
      if (entry.has(KEV_ONESHOT | KEV_DISPATCH)) {
        entry.enabled.store(true, std::memory_order_relaxed);
        queue.watcher.change(entry.fd(), epoll_bits(entry.what, entry.flags.load(std::memory_order_relaxed)),
                             entry.reference().token());
      }
      return false;
    }
  }
  event.what = bits;
  event.data[0] = bits;
  if ((bits & (KEV_HUP | KEV_RDHUP)) != 0) event.flags |= KEV_E_EOF;
  if (entry.has(KEV_DATA)) fill_data(entry.fd(), event);
  return true;
}

}  // namespace kev::queue
