// Many connections to one server, of which a few are busy at a time and the others stay open and silent.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "protocol.hpp"

namespace kev::load {

struct Round {
  uint64_t requests;
  double seconds;
};

// One thread uses it. Every function throws std::runtime_error if the server does other than expected: closes a
// connection, answers otherwise than it did at first, speaks unasked, or is silent for ten seconds.
class Crowd {
 public:
  Crowd(uint16_t port, Protocol protocol);
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;
  ~Crowd();

  // Connects until there are `total`. Each new connection makes one request, so that the server has them all.
  void open(size_t total);

  // `busy` connections, evenly spread among all, send a request as soon as the last one is answered, for that time.
  Round run(size_t busy, std::chrono::duration<double> time);

 private:
  using Clock = std::chrono::steady_clock;
  struct Connection {
    int fd;
    std::string got;
  };

  void connect_one();
  // Says what the protocol says before all requests.
  void prepare(Connection& which);
  void send_on(Connection& which, const std::string& bytes);
  // Takes what came; true if the answer is complete.
  bool take(Connection& which);
  // Compares a complete answer to the first of all, and is done with it.
  void check(Connection& which);
  // Each sends a request and, once answered, the next one until the time is over; all answers are awaited.
  Round exchange(const std::vector<Connection*>& busy, Clock::duration time);
  void require_silence();

  uint16_t port_;
  Protocol protocol_;
  std::vector<Connection> connections_;
  std::string first_line_;  // of the first answer of all
  size_t length_ = 0;       // of the same
};

}  // namespace kev::load
