// Every way to a new descriptor, each as a function that returns its number, or -1 with errno.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include "support/scenario.hpp"

namespace scenario {

// A socket that accepts, and a message that carries a descriptor: made before anything is counted.
struct Peers {
  int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
  int pair[2] = {-1, -1};
  sockaddr_un address = {};
  socklen_t length = sizeof(sa_family_t);

  Peers() {
    address.sun_family = AF_UNIX;
    CHECK(::bind(listener, reinterpret_cast<sockaddr*>(&address), length) == 0);  // a name of the kernel's choice
    length = sizeof address;
    CHECK(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) == 0);
    CHECK(::listen(listener, 4096) == 0);
    CHECK(::socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
  }

  // Accepts what it has connected itself; the connecting end is closed again.
  int accept_one(bool newer) const {
    const int out = ::socket(AF_UNIX, SOCK_STREAM, 0);
    if (out < 0) return -1;
    CHECK(::connect(out, reinterpret_cast<const sockaddr*>(&address), length) == 0);
    ::close(out);
    return newer ? ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK) : ::accept(listener, nullptr, nullptr);
  }

  void send(const int* fds, unsigned count) const {
    char byte = 'x';
    iovec part = {&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 250)] = {};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * count);
    ::memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
    CHECK(::sendmsg(pair[0], &message, 0) == 1);
  }

  // Returns how many arrived.
  unsigned receive(int* fds, unsigned room) const {
    char byte;
    iovec part = {&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 250)] = {};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * room);
    CHECK(::recvmsg(pair[1], &message, 0) == 1);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr) return 0;
    const unsigned count = static_cast<unsigned>((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    ::memcpy(fds, CMSG_DATA(header), sizeof(int) * count);
    return count;
  }
};

struct Maker {
  const char* name;
  int (*make)(const Peers& peers);
};

// The second number of a call that makes two goes with the first: both are printed by whoever calls.
inline int second_number = -1;

inline int first_of(int result, const int* fds) {
  if (result < 0) return -1;
  second_number = fds[1];
  return fds[0];
}

// By calls that the object interposes.
inline constexpr Maker kMakers[] = {
    {"open", [](const Peers&) { return ::open("/dev/null", O_RDONLY); }},
    {"open64", [](const Peers&) { return ::open64("/dev/null", O_RDWR); }},
    {"openat", [](const Peers&) { return ::openat(AT_FDCWD, "/dev/null", O_RDONLY); }},
    {"openat64", [](const Peers&) { return ::openat64(AT_FDCWD, "/dev/null", O_RDONLY); }},
    {"creat", [](const Peers&) { return ::creat("/dev/null", 0600); }},
    {"socket", [](const Peers&) { return ::socket(AF_UNIX, SOCK_STREAM, 0); }},
    {"accept", [](const Peers& peers) { return peers.accept_one(false); }},
    {"accept4", [](const Peers& peers) { return peers.accept_one(true); }},
    {"dup", [](const Peers&) { return ::dup(0); }},
    {"F_DUPFD", [](const Peers&) { return ::fcntl(0, F_DUPFD, 0); }},
    {"F_DUPFD_CLOEXEC", [](const Peers&) { return ::fcntl(0, F_DUPFD_CLOEXEC, 10); }},
    {"eventfd", [](const Peers&) { return ::eventfd(0, 0); }},
    {"timerfd", [](const Peers&) { return ::timerfd_create(CLOCK_MONOTONIC, 0); }},
    {"epoll_create", [](const Peers&) { return ::epoll_create(1); }},
    {"epoll_create1", [](const Peers&) { return ::epoll_create1(0); }},
    {"signalfd",
     [](const Peers&) {
       sigset_t none;
       sigemptyset(&none);
       return ::signalfd(-1, &none, 0);
     }},
    {"memfd_create", [](const Peers&) { return ::memfd_create("x", 0); }},
    {"fopen",
     [](const Peers&) {
       FILE* stream = ::fopen("/dev/null", "r");
       return stream == nullptr ? -1 : ::fileno(stream);
     }},
    {"pipe",
     [](const Peers&) {
       int fds[2];
       return first_of(::pipe(fds), fds);
     }},
    {"pipe2",
     [](const Peers&) {
       int fds[2];
       return first_of(::pipe2(fds, O_CLOEXEC), fds);
     }},
    {"socketpair",
     [](const Peers&) {
       int fds[2];
       return first_of(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds), fds);
     }},
    {"SYS_openat", [](const Peers&) { return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, "/dev/null", 0)); }},
    {"SYS_dup", [](const Peers&) { return static_cast<int>(::syscall(SYS_dup, 0)); }},
    {"SYS_eventfd2", [](const Peers&) { return static_cast<int>(::syscall(SYS_eventfd2, 0, 0)); }},
};

// By the C library's own inner calls, and by system calls that are not interposed.
inline constexpr Maker kUnseenMakers[] = {
    {"opendir",
     [](const Peers&) {
       DIR* directory = ::opendir("/");
       return directory == nullptr ? -1 : ::dirfd(directory);
     }},
    {"tmpfile",
     [](const Peers&) {
       FILE* stream = ::tmpfile();
       return stream == nullptr ? -1 : ::fileno(stream);
     }},
    {"mkstemp",
     [](const Peers&) {
       char name[] = "/tmp/kev-test-XXXXXX";
       const int fd = ::mkstemp(name);
       if (fd >= 0) ::unlink(name);
       return fd;
     }},
    {"popen",
     [](const Peers&) {
       FILE* stream = ::popen("exec sleep 0", "r");
       return stream == nullptr ? -1 : ::fileno(stream);
     }},
    {"SYS_pipe2",
     [](const Peers&) {
       int fds[2];
       return first_of(static_cast<int>(::syscall(SYS_pipe2, fds, 0)), fds);
     }},
    {"SYS_socketpair",
     [](const Peers&) {
       int fds[2];
       return first_of(static_cast<int>(::syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, fds)), fds);
     }},
};

}  // namespace scenario
