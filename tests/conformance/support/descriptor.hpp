// Descriptors that close themselves, and the makers of the files that the cases poll.
//
// Every maker gives non-blocking, close-on-exec descriptors and reports a failure to make one as a test failure, so
// that a case can go straight to what it is about.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>
#include <vector>

namespace conformance {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) { EXPECT_GE(fd, 0) << "errno " << errno; }
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = other.release();
    }
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }

  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  void close() {
    if (fd_ >= 0) ::close(release());
  }

 private:
  int fd_ = -1;
};

struct Pipe {
  Descriptor in;   // the reading end
  Descriptor out;  // the writing end
};

inline Pipe make_pipe(int flags = O_NONBLOCK | O_CLOEXEC) {
  int ends[2] = {-1, -1};
  EXPECT_EQ(0, ::pipe2(ends, flags));
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

inline Pipe make_socketpair(int type) {
  int ends[2] = {-1, -1};
  EXPECT_EQ(0, ::socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

inline Descriptor make_event(unsigned initial = 0, int flags = 0) {
  return Descriptor(::eventfd(initial, flags | EFD_NONBLOCK | EFD_CLOEXEC));
}

// A socket bound to a free port of the loopback address; `address` receives where it stands.
inline Descriptor make_bound_socket(int type, sockaddr_in& address) {
  Descriptor fd(::socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  EXPECT_EQ(0, ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length));
  EXPECT_EQ(0, ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length));
  return fd;
}

inline int connect_to(int fd, const sockaddr_in& address) {
  return ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

// Two connected TCP sockets of the loopback interface.
inline Pipe make_tcp_pair() {
  sockaddr_in address;
  Descriptor listener = make_bound_socket(SOCK_STREAM, address);
  EXPECT_EQ(0, ::listen(listener.get(), 1));
  Descriptor client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(0, connect_to(client.get(), address));
  Descriptor server(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  EXPECT_EQ(0, ::fcntl(client.get(), F_SETFL, O_NONBLOCK));
  return {std::move(client), std::move(server)};
}

inline void put(int fd, const char* text = "x") {
  const std::size_t length = std::char_traits<char>::length(text);
  EXPECT_EQ(static_cast<ssize_t>(length), ::write(fd, text, length)) << "errno " << errno;
}

inline void add_to_event(int fd, std::uint64_t value = 1) {
  EXPECT_EQ(ssize_t{8}, ::write(fd, &value, sizeof value)) << "errno " << errno;
}

// Reads until nothing is left; how many bytes there were.
inline std::size_t drain(int fd) {
  char buffer[4096];
  std::size_t total = 0;
  for (ssize_t n; (n = ::read(fd, buffer, sizeof buffer)) > 0;) total += static_cast<std::size_t>(n);
  return total;
}

// Writes until the file takes no more.
inline void fill(int fd) {
  static const char buffer[4096] = {};
  while (::write(fd, buffer, sizeof buffer) > 0) {
  }
  while (::write(fd, buffer, 1) > 0) {
  }
  EXPECT_EQ(EAGAIN, errno);
}

// Lets the process hold `count` descriptors if its hard limit does.
inline bool allow_descriptors(rlim_t count) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
  if (limit.rlim_cur >= count) return true;
  if (limit.rlim_max < count) return false;
  limit.rlim_cur = count;
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

// Many descriptors of several kinds on which nothing ever happens.
class IdleDescriptors {
 public:
  explicit IdleDescriptors(std::size_t count) {
    for (unsigned kind = 0; watched_.size() < count; ++kind) {
      switch (kind % 3) {
        case 0: take(make_pipe(), false); break;
        case 1: watched_.push_back(make_event()); break;
        default: take(make_socketpair(SOCK_STREAM), watched_.size() + 1 < count); break;
      }
    }
  }
  std::size_t size() const { return watched_.size(); }
  int operator[](std::size_t index) const { return watched_[index].get(); }

 private:
  void take(Pipe pair, bool both) {
    watched_.push_back(std::move(pair.in));
    (both ? watched_ : partners_).push_back(std::move(pair.out));
  }
  std::vector<Descriptor> watched_;
  std::vector<Descriptor> partners_;
};

}  // namespace conformance
