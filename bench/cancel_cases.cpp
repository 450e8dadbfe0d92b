// Cancellation points in a process with threads, where a C library has more to do for them; against the bare system call;
// and what it takes to cancel a thread that waits in one.
#include <arch_syscall.hpp>
#include <atomic>
#include <memory>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

#include "case.hpp"
#include "fixture.hpp"
#include "worker.hpp"

namespace kev::bench {

namespace {

constexpr Limit kTwentyPercent = {Limit::Kind::ratio, 1.2};

// A thread that only is there.
struct Company {
  Company() : thread([this] { wait(); }) {}
  ~Company() {
    char byte = 'x';
    if (write(pipe.write.get(), &byte, 1) == 1) thread.join();
  }
  void wait() {
    char byte;
    while (read(pipe.read.get(), &byte, 1) != 1) {
    }
  }
  Pipe pipe = make_pipe();
  std::thread thread;
};

using Transfer = ssize_t (*)(int, void*, size_t);
ssize_t libc_write(int fd, void* data, size_t size) { return write(fd, data, size); }
ssize_t libc_recv(int fd, void* data, size_t size) { return recv(fd, data, size, MSG_PEEK); }
ssize_t libc_poll(int fd, void*, size_t size) {
  pollfd entry = {fd, POLLIN, 0};
  return poll(&entry, 1, 0) == 1 ? static_cast<ssize_t>(size) : -1;
}
ssize_t bare_read(int fd, void* data, size_t size) {
  return arch::syscall(SYS_read, fd, reinterpret_cast<long>(data), static_cast<long>(size));
}
ssize_t bare_write(int fd, void* data, size_t size) {
  return arch::syscall(SYS_write, fd, reinterpret_cast<long>(data), static_cast<long>(size));
}
ssize_t bare_recv(int fd, void* data, size_t size) {
  return arch::syscall(SYS_recvfrom, fd, reinterpret_cast<long>(data), static_cast<long>(size), MSG_PEEK);
}
ssize_t bare_poll(int fd, void*, size_t size) {
  pollfd entry = {fd, POLLIN, 0};
  return arch::syscall(SYS_poll, reinterpret_cast<long>(&entry), 1, 0) == 1 ? static_cast<ssize_t>(size) : -1;
}

// Eight bytes are moved for ever.
struct Endless {
  Endless() {
    uint64_t many = uint64_t{1} << 60;
    require(write(counter.get(), &many, sizeof many) == sizeof many, "write failed");
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair failed");
    require(send(ends[1], &many, sizeof many, 0) == sizeof many, "send failed");
  }
  ~Endless() {
    close(ends[0]);
    close(ends[1]);
  }
  Company company;
  Fd counter{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE)};
  Fd sink = make_eventfd();
  int ends[2];
};

struct Point {
  const char* name;
  Transfer libc, bare;
  int (*descriptor)(const Endless&);
};
constexpr Point kPoints[] = {
    {"read", read, bare_read, [](const Endless& on) { return on.counter.get(); }},
    {"write", libc_write, bare_write, [](const Endless& on) { return on.sink.get(); }},
    {"recv", libc_recv, bare_recv, [](const Endless& on) { return on.ends[0]; }},
    {"poll/1", libc_poll, bare_poll, [](const Endless& on) { return on.counter.get(); }},
};

auto endless(Transfer transfer, int (*descriptor)(const Endless&)) {
  auto state = std::make_unique<Endless>();
  int fd = descriptor(*state);
  return [transfer, fd, state = std::move(state)] {
    uint64_t word = 1;
    require(transfer(fd, &word, sizeof word) == sizeof word, "transfer failed");
  };
}

// From pthread_cancel() of a thread that waits in read() until it was joined.
struct Canceller final : Fixture {
  void run(uint64_t calls, Stopwatch& watch) override {
    for (; calls > 0; --calls) {
      std::atomic<int> reader = 0;
      Arguments arguments = {pipe.read.get(), &reader};
      pthread_t thread;
      require(pthread_create(&thread, nullptr, wait_in_read, &arguments) == 0, "no thread");
      while (reader.load() == 0) usleep(20);
      usleep(100);
      watch.start();
      require(pthread_cancel(thread) == 0, "pthread_cancel failed");
      void* result;
      pthread_join(thread, &result);
      watch.stop();
      require(result == PTHREAD_CANCELED, "not cancelled");
    }
  }

  struct Arguments {
    int fd;
    std::atomic<int>* reader;
  };
  static void* wait_in_read(void* argument) {
    auto arguments = *static_cast<Arguments*>(argument);
    arguments.reader->store(1);
    char byte;
    return read(arguments.fd, &byte, 1) == 1 ? nullptr : argument;
  }

  Pipe pipe = make_pipe();
};

}  // namespace

void add_cancel_cases(Cases& cases) {
  for (const Point& point : kPoints) {
    std::string name = point.name;
    cases.add_call("threads/" + name, kParity, [=] { return endless(point.libc, point.descriptor); });
    // The preloaded side calls libc's function, the native one the system.
    cases.add_call("bare/" + name, kThreeNanoseconds,
                   [=] { return endless(is_preloaded() ? point.libc : point.bare, point.descriptor); });
  }
  cases.add("cancel+join/read", kTwentyPercent, [] { return std::make_unique<Canceller>(); }, Clock::wall, 50);
}

}  // namespace kev::bench
