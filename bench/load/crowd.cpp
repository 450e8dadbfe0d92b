// The connections and the closed loop over the busy ones; the contract stands in crowd.hpp.
//
// The loop looks for answers without ever sleeping. Where the load sleeps, the server pays for waking it with each
// answer, and what is measured is in large part the time that a halted processor takes to start.
#include "crowd.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdexcept>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace kev::load {

namespace {

constexpr size_t kBatch = 64;  // connections that are opened at a time: less than any backlog
constexpr std::chrono::seconds kPatience{10};

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

// The first line without its end, or the whole answer where there is none.
std::string_view first_line(std::string_view answer) { return answer.substr(0, answer.find("\r\n")); }

class EpollSet {
 public:
  EpollSet() : fd_(epoll_create1(EPOLL_CLOEXEC)) {
    if (fd_ < 0) fail("epoll_create1");
  }
  EpollSet(const EpollSet&) = delete;
  EpollSet& operator=(const EpollSet&) = delete;
  ~EpollSet() { close(fd_); }

  void add(int fd, void* data) {
    epoll_event event = {.events = EPOLLIN, .data = {.ptr = data}};
    if (epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
  }
  size_t look(std::array<epoll_event, kBatch>& events) {
    int count = epoll_wait(fd_, events.data(), static_cast<int>(events.size()), 0);
    if (count < 0 && errno != EINTR) fail("epoll_wait");
    return count < 0 ? 0 : static_cast<size_t>(count);
  }

 private:
  int fd_;
};

}  // namespace

Crowd::Crowd(uint16_t port, Protocol protocol) : port_(port), protocol_(std::move(protocol)) {}

Crowd::~Crowd() {
  for (Connection& each : connections_) close(each.fd);
}

void Crowd::open(size_t total) {
  while (connections_.size() < total) {
    size_t before = connections_.size(), count = std::min(kBatch, total - before);
    for (size_t i = 0; i < count; ++i) connect_one();
    if (before == 0) prepare(connections_.front());
    std::vector<Connection*> fresh;
    for (size_t i = before; i < connections_.size(); ++i) fresh.push_back(&connections_[i]);
    exchange(fresh, Clock::duration::zero());
  }
}

Round Crowd::run(size_t busy, std::chrono::duration<double> time) {
  if (busy == 0 || busy > connections_.size()) throw std::runtime_error("not that many connections are open");
  std::vector<Connection*> chosen;
  for (size_t i = 0; i < busy; ++i) chosen.push_back(&connections_[(2 * i + 1) * connections_.size() / (2 * busy)]);
  Round round = exchange(chosen, std::chrono::duration_cast<Clock::duration>(time));
  require_silence();
  return round;
}

void Crowd::connect_one() {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  connections_.push_back({fd, {}});
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port_);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) fail("connect");
  int on = 1;
  if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) fail("setsockopt");
}

void Crowd::prepare(Connection& which) {
  if (protocol_.first.empty()) return;
  send_on(which, protocol_.first);
  Clock::time_point began = Clock::now();
  while (!take(which))
    if (Clock::now() > began + kPatience) throw std::runtime_error("the server does not answer");
  which.got.clear();
}

void Crowd::send_on(Connection& which, const std::string& bytes) {
  ssize_t sent = send(which.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) fail("send");
  if (static_cast<size_t>(sent) != bytes.size()) throw std::runtime_error("the server does not read its requests");
}

bool Crowd::take(Connection& which) {
  char bytes[4096];
  ssize_t count = recv(which.fd, bytes, sizeof bytes, MSG_DONTWAIT);
  if (count < 0 && errno == EAGAIN) return false;
  if (count < 0) fail("recv");
  if (count == 0) throw std::runtime_error("the server closed a busy connection");
  which.got.append(bytes, static_cast<size_t>(count));
  size_t length = protocol_.length(which.got);
  if (length > 0 && which.got.size() > length) throw std::runtime_error("the server answers more than was asked");
  return length > 0;
}

void Crowd::check(Connection& which) {
  if (length_ == 0) {
    length_ = which.got.size();
    first_line_ = first_line(which.got);
  }
  if (which.got.size() != length_ || first_line(which.got) != first_line_)
    throw std::runtime_error("another answer than the first: " + std::string(first_line(which.got)));
  which.got.clear();
}

Round Crowd::exchange(const std::vector<Connection*>& busy, Clock::duration time) {
  EpollSet set;
  for (Connection* each : busy) set.add(each->fd, each);
  Clock::time_point began = Clock::now(), last = began;
  for (Connection* each : busy) send_on(*each, protocol_.request);
  uint64_t requests = 0;
  std::array<epoll_event, kBatch> events;
  for (size_t open = busy.size(); open > 0;) {
    size_t count = set.look(events);
    Clock::time_point now = Clock::now();
    if (count > 0) last = now;
    if (now > last + kPatience) throw std::runtime_error("the server does not answer");
    for (size_t i = 0; i < count; ++i) {
      auto& which = *static_cast<Connection*>(events[i].data.ptr);
      if (!take(which)) continue;
      check(which);
      ++requests;
      if (now < began + time)
        send_on(which, protocol_.request);
      else
        --open;
    }
  }
  return {requests, std::chrono::duration<double>(last - began).count()};
}

void Crowd::require_silence() {
  std::vector<pollfd> all;
  for (Connection& each : connections_) all.push_back({each.fd, POLLIN, 0});
  int ready = poll(all.data(), all.size(), 0);
  if (ready < 0) fail("poll");
  if (ready > 0) throw std::runtime_error("the server closed an idle connection");
}

}  // namespace kev::load
