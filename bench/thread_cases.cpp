// Several threads: what a wake-up of a sleeper costs, and many threads that wait for the same descriptors.
#include <atomic>
#include <barrier>
#include <memory>
#include <thread>
#include <unistd.h>

#include "case.hpp"
#include "fixture.hpp"

namespace kev::bench {

namespace {

// Two threads hand a byte to and fro; each sleeps in poll() on its pipe and idle descriptors. One call is a round: two
// wake-ups.
struct PingPong final : Fixture {
  explicit PingPong(unsigned idle_descriptors) : idle(idle_descriptors, 0) {
    partner = std::thread([this] {
      std::vector<pollfd> array = wait_for(there);
      while (receive(array) == 'g') send(back, 'g');
    });
    own = wait_for(back);
  }
  ~PingPong() override {
    send(there, 'x');
    partner.join();
  }

  void run(uint64_t calls, Stopwatch& watch) override {
    watch.start();
    for (; calls > 0; --calls) {
      send(there, 'g');
      require(receive(own) == 'g', "ping-pong: another byte");
    }
    watch.stop();
  }

  std::vector<pollfd> wait_for(const Pipe& pipe) const {
    std::vector<pollfd> array = idle.array();
    array.push_back({pipe.read.get(), POLLIN, 0});
    return array;
  }
  static void send(const Pipe& pipe, char byte) {
    require(write(pipe.write.get(), &byte, 1) == 1, "ping-pong: write failed");
  }
  static char receive(std::vector<pollfd>& array) {
    char byte = '\0';
    if (poll(array.data(), array.size(), -1) != 1 || array.back().revents != POLLIN) return '?';
    return read(array.back().fd, &byte, 1) == 1 ? byte : '?';
  }

  EventFds idle;
  Pipe there = make_pipe(), back = make_pipe();
  std::vector<pollfd> own;
  std::thread partner;
};

// Many threads poll the same descriptors, each by an array of its own. One call is one call of each of them.
struct Crowd final : Fixture {
  static constexpr unsigned kThreads = 64;
  explicit Crowd(unsigned count) : fds(count, 1) {
    for (unsigned i = 0; i < kThreads; ++i) threads.emplace_back([this] { work(); });
  }
  ~Crowd() override {
    share = 0;
    begin.arrive_and_wait();
    for (auto& thread : threads) thread.join();
  }

  void run(uint64_t calls, Stopwatch& watch) override {
    share = calls;
    watch.start();
    begin.arrive_and_wait();
    end.arrive_and_wait();
    watch.stop();
    require(!failed, "crowd: another number of ready entries");
  }

  void work() {
    std::vector<pollfd> array = fds.array();
    for (;;) {
      begin.arrive_and_wait();
      if (share == 0) return;
      for (uint64_t i = share; i > 0; --i)
        if (poll(array.data(), array.size(), 0) != 1 || array.back().revents != POLLIN) failed = true;
      end.arrive_and_wait();
    }
  }

  EventFds fds;
  std::barrier<> begin{kThreads + 1}, end{kThreads + 1};
  uint64_t share = 0;
  std::atomic<bool> failed = false;
  std::vector<std::thread> threads;
};

}  // namespace

void add_thread_cases(Cases& cases) {
  for (unsigned idle : {0u, 15u, 99u, 999u})
    cases.add("ping-pong/" + std::to_string(idle + 1), kNoLimit, [=] { return std::make_unique<PingPong>(idle); },
              Clock::wall);
  for (unsigned count : {100u, 1000u})
    cases.add("poll/" + std::to_string(count) + "/1ready/64threads", kParity,
              [=] { return std::make_unique<Crowd>(count); }, Clock::process_cpu);
}

}  // namespace kev::bench
