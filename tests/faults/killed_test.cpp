// SIGKILL in the middle of a wait: peers see the end at once, and the port is free.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "harness/programs.hpp"
#include "harness/run.hpp"

namespace {

constexpr int kPeers = 32;
constexpr double kLongestMs = 50;

double now_ms() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

// A server and its peers, of which each has had an answer.
class Server {
 public:
  explicit Server(bool preloaded) {
    int out[2];
    EXPECT_EQ(::pipe(out), 0);
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(out[1], 1);
      if (preloaded) ::setenv("LD_PRELOAD", preload_test::preload_object().c_str(), 1);
      for (const char* name : {"KEV_MIRROR_MIN", "KEV_PROMOTE_AFTER"}) ::setenv(name, "1", 1);
      ::setenv("KEV_ENGINE", "epoll", 1);
      const std::string path = faults::program("server");
      ::execl(path.c_str(), path.c_str(), "serve", nullptr);
      ::_exit(127);
    }
    ::close(out[1]);
    char text[16] = {};
    EXPECT_GT(::read(out[0], text, sizeof text - 1), 0);
    ::close(out[0]);
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address_.sin_port = htons(static_cast<uint16_t>(::atoi(text)));
    for (int i = 0; i < kPeers; ++i) connect_one();
  }
  ~Server() {
    for (int fd : peers_) ::close(fd);
  }

  // From the signal until every peer has seen the end, and until another can listen at the port.
  void kill(double& peers_ms, double& port_ms) {
    for (int i = 0; i < 4; ++i)
      for (int fd : peers_) ask(fd);
    ::usleep(20'000);  // asleep, in the core's sleep or in the program's own
    const double from = now_ms();
    ::kill(child_, SIGKILL);
    for (int fd : peers_) {
      char byte;
      EXPECT_EQ(::read(fd, &byte, 1), 0);
    }
    peers_ms = now_ms() - from;
    const int one = 1;
    for (;;) {
      const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
      ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
      const bool bound =
          ::bind(fd, reinterpret_cast<sockaddr*>(&address_), sizeof address_) == 0 && ::listen(fd, 1) == 0;
      ::close(fd);
      port_ms = now_ms() - from;
      if (bound || port_ms > 2000) break;
    }
    ::waitpid(child_, nullptr, 0);
  }

 private:
  void connect_one() {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address_), sizeof address_), 0);
    const timeval patience = {5, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ask(fd);
    peers_.push_back(fd);
  }
  static void ask(int fd) {
    char byte = 'x';
    EXPECT_EQ(::write(fd, &byte, 1), 1);
    EXPECT_EQ(::read(fd, &byte, 1), 1);
  }

  pid_t child_ = 0;
  sockaddr_in address_ = {};
  std::vector<int> peers_;
};

}  // namespace

TEST(KilledTest, PeersSeeTheEndAndThePortIsFreeAtOnce) {
  for (bool preloaded : {false, true}) {
    double worst_peers = 0, worst_port = 0;
    for (int i = 0; i < 10; ++i) {
      Server server(preloaded);
      double peers_ms = 0, port_ms = 0;
      server.kill(peers_ms, port_ms);
      if (peers_ms > worst_peers) worst_peers = peers_ms;
      if (port_ms > worst_port) worst_port = port_ms;
    }
    printf("%s: %d peers saw the end within %.2f ms, the port was free within %.2f ms\n",
           preloaded ? "preloaded" : "natively", kPeers, worst_peers, worst_port);
    EXPECT_LT(worst_peers, kLongestMs);
    EXPECT_LT(worst_port, kLongestMs);
  }
}
