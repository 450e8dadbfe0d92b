// Calls on descriptors that stand in no set, and on some that stand in one: what waiting costs those who do not wait.
#include <fcntl.h>
#include <memory>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "case.hpp"
#include "fixture.hpp"

namespace kev::bench {

namespace {

// Four arrays of the process that are answered by the core, if anything is.
struct Mirrors {
  Mirrors() {
    for (auto& array : arrays) array = fds.array();
    for (auto& array : arrays) warm_up(array);
  }
  EventFds fds{500, 1};
  std::vector<pollfd> arrays[4];
};

// An eventfd can be written nearly for ever; one of the semaphore kind, filled first, be read nearly for ever.
void add_read_and_write(Cases& cases) {
  cases.add_call("write/eventfd", kThreeNanoseconds, [] {
    return [fd = make_eventfd()] {
      uint64_t one = 1;
      require(write(fd.get(), &one, sizeof one) == sizeof one, "write failed");
    };
  });
  cases.add_call("read/eventfd", kThreeNanoseconds, [] {
    Fd fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE));
    uint64_t many = uint64_t{1} << 60;
    require(write(fd.get(), &many, sizeof many) == sizeof many, "write failed");
    return [fd = std::move(fd)] {
      uint64_t value;
      require(read(fd.get(), &value, sizeof value) == sizeof value && value == 1, "read failed");
    };
  });
  cases.add_call("write+read/pipe", kThreeNanoseconds, [] {
    return [pipe = make_pipe()] {
      char byte = 'k';
      require(write(pipe.write.get(), &byte, 1) == 1, "write failed");
      require(read(pipe.read.get(), &byte, 1) == 1 && byte == 'k', "read failed");
    };
  });
  cases.add_call("write/eventfd/in-4-mirrors", kNoLimit, [] {
    return [mirrors = std::make_unique<Mirrors>()] {
      uint64_t one = 1;
      require(write(mirrors->fds.fds.back().get(), &one, sizeof one) == sizeof one, "write failed");
    };
  });
}

// Closes descriptors of which only the closing is timed.
struct Closer final : Fixture {
  explicit Closer(bool with_mirrors) : mirrors(with_mirrors ? std::make_unique<Mirrors>() : nullptr) {}
  void run(uint64_t calls, Stopwatch& watch) override {
    constexpr unsigned kBatch = 256;
    int copies[kBatch];
    while (calls > 0) {
      unsigned batch = calls < kBatch ? static_cast<unsigned>(calls) : kBatch;
      for (unsigned i = 0; i < batch; ++i) require((copies[i] = dup(fd.get())) >= 0, "dup failed");
      bool ok = true;
      watch.start();
      for (unsigned i = 0; i < batch; ++i) ok = (close(copies[i]) == 0) & ok;
      watch.stop();
      require(ok, "close failed");
      calls -= batch;
    }
  }
  Fd fd = make_eventfd();
  std::unique_ptr<Mirrors> mirrors;
};

template <typename Make>
auto made_and_closed(Make make) {
  return [make] {
    int fd = make();
    require(fd >= 0, "no descriptor was made");
    require(close(fd) == 0, "close failed");
  };
}

}  // namespace

void add_descriptor_cases(Cases& cases) {
  add_read_and_write(cases);
  cases.add("close", kThreeNanoseconds, [] { return std::make_unique<Closer>(false); });
  cases.add("close/beside-mirrors", kThreeNanoseconds, [] { return std::make_unique<Closer>(true); });
  cases.add_call("dup+close", kNoLimit, [] {
    return [fd = make_eventfd()] {
      int copy = dup(fd.get());
      require(copy >= 0 && close(copy) == 0, "dup or close failed");
    };
  });
  cases.add_call("dup+close/beside-mirrors", kNoLimit, [] {
    return [fd = make_eventfd(), mirrors = std::make_unique<Mirrors>()] {
      int copy = dup(fd.get());
      require(copy >= 0 && close(copy) == 0, "dup or close failed");
    };
  });
  cases.add_call("open+close", kNoLimit,
                 [] { return made_and_closed([] { return open("/dev/null", O_RDONLY | O_CLOEXEC); }); });
  cases.add_call("socket+close", kNoLimit,
                 [] { return made_and_closed([] { return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); }); });
  cases.add_call("fcntl/getfl", kNoLimit, [] {
    return [fd = make_eventfd()] { require((fcntl(fd.get(), F_GETFL) & O_NONBLOCK) != 0, "fcntl failed"); };
  });
}

}  // namespace kev::bench
