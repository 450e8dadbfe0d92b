#include "slot.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../world/raw.h"
#include "figures.hpp"

extern "C" int close_range(unsigned, unsigned, int) noexcept;

namespace crowd {

namespace {

bool has_gap(Way way) {
  return way == Way::close || way == Way::close_range || way == Way::fclose || way == Way::raw_close;
}

void close_by(Way way, int number) {
  FILE* file;
  if (way == Way::raw_close) {
    raw(SYS_close, number);
  } else if (way == Way::close_range) {
    close_range(static_cast<unsigned>(number), static_cast<unsigned>(number), 0);
  } else if (way == Way::fclose && (file = fdopen(number, "r")) != nullptr) {
    fclose(file);
  } else {
    close(number);
  }
}

// `fd` by a message to ourselves: another number, and `fd` is closed. -1: no descriptors.
int by_message(int fd) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) != 0) return -1;
  char byte = 0;
  iovec data = {&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  int received = -1;
  if (sendmsg(ends[0], &message, 0) == 1) {
    close(fd);
    message.msg_controllen = sizeof control;
    if (recvmsg(ends[1], &message, MSG_CMSG_CLOEXEC) == 1 && (header = CMSG_FIRSTHDR(&message)) != nullptr)
      memcpy(&received, CMSG_DATA(header), sizeof received);
  }
  close(ends[0]);
  close(ends[1]);
  return received;
}

}  // namespace

void put(Slot& slot, Way way, int fd, unsigned channel, unsigned gap_us) {
  ++figures->changes;
  int number = slot.number;
  slot.version.fetch_add(1);
  if (way == Way::made || way == Way::message) {
    close(number);
    int came = way == Way::message ? by_message(fd) : fd;
    if (came < 0) fail("a message came without its descriptor");
    slot.number = came;
    slot.silent = false;
  } else {
    if (has_gap(way)) {
      close_by(way, number);
      number = slot.reserved;
      if (gap_us != 0) {
        slot.closed = true;
        slot.silent = way == Way::raw_close;
        slot.since_ns = now_ns();
        slot.version.fetch_add(1);
        pause_us(gap_us);
        slot.version.fetch_add(1);
        slot.closed = false;
      }
    }
    bool raw_ways = way == Way::raw_close || way == Way::raw_dup3;
    long put = raw_ways ? raw(SYS_dup3, fd, number, O_CLOEXEC)
               : way == Way::dup2 ? dup2(fd, number) : dup3(fd, number, O_CLOEXEC);
    if (put != number) fail("dup3 of %d to %d: %ld, errno %d", fd, number, put, errno);
    close(fd);
    slot.number = number;
    slot.silent = raw_ways;
  }
  slot.since_ns = now_ns();
  slot.channel = channel;
  slot.version.fetch_add(1);
}

}  // namespace crowd
