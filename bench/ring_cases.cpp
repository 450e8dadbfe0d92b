// Two ways to hear of ready descriptors, without the object or the library: an epoll set ("native"), and a ring of io_uring
// with a multishot poll of each ("kev"). Why libkev has no engine of the second kind: docs/engines.md.
//
// A completion tells that something came, also if it has been read since, where an edge-triggered set looks again. So what
// the ring reports is confirmed by one poll(), or it would report what is not there. Measured is the whole round: the
// events are written, waited for, and read.
#ifdef HAVE_LIBURING
#include <liburing.h>

#include <arpa/inet.h>
#include <cerrno>
#include <memory>
#include <netinet/in.h>
#include <string>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "case.hpp"
#include "fixture.hpp"
#include "worker.hpp"

namespace kev::bench {

namespace {

constexpr unsigned kWatched = 1000;

// What an event is written to, and read from.
struct Channel {
  Fd write_end, read_end;
};

enum class Kind { eventfd, unix_stream, tcp };

Channel make_tcp() {
  Fd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* where = reinterpret_cast<sockaddr*>(&address);
  require(bind(listener.get(), where, size) == 0 && listen(listener.get(), 1) == 0 &&
              getsockname(listener.get(), where, &size) == 0,
          "no listening socket");
  Fd near(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  require(connect(near.get(), where, size) == 0, "connect failed");
  return {std::move(near), Fd(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC))};
}

Channel make_channel(Kind kind) {
  int ends[2];
  switch (kind) {
    case Kind::tcp: return make_tcp();
    case Kind::unix_stream:
      require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0, "socketpair failed");
      return {Fd(ends[0]), Fd(ends[1])};
    case Kind::eventfd: break;
  }
  Fd event = make_eventfd();
  Fd same(dup(event.get()));
  return {std::move(event), std::move(same)};
}

struct EpollSet {
  void watch(int fd, unsigned index) {
    epoll_event event = {EPOLLIN | EPOLLET, {.u32 = index}};
    require(epoll_ctl(set.get(), EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl failed");
  }
  unsigned wait() {
    int found = epoll_wait(set.get(), events, 64, -1);
    return found < 0 ? 0 : static_cast<unsigned>(found);
  }
  Fd set{epoll_create1(EPOLL_CLOEXEC)};
  epoll_event events[64];
};

struct PollRing {
  PollRing() {
    io_uring_params params = {};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
    require(io_uring_queue_init_params(2 * kWatched, &ring, &params) == 0, "no io_uring");
    io_uring_register_ring_fd(&ring);
  }
  ~PollRing() { io_uring_queue_exit(&ring); }

  void watch(int fd, unsigned index) {
    io_uring_sqe* entry = io_uring_get_sqe(&ring);
    io_uring_prep_poll_multishot(entry, fd, POLLIN);
    io_uring_sqe_set_data64(entry, index);
    fds.push_back(fd);
    require(io_uring_submit(&ring) == 1, "the poll was not submitted");
  }

  unsigned wait() {
    pollfd list[64];
    unsigned found = 0;
    do {
      // The kernel runs some 20 completions for a call that waits for one.
      io_uring_submit_and_wait(&ring, found == 0 ? 1 : 0);
      io_uring_cqe* cqe;
      unsigned head, seen = 0;
      io_uring_for_each_cqe(&ring, head, cqe) {
        if (found == 64) break;
        list[found++] = {fds[cqe->user_data], POLLIN, 0};
        ++seen;
      }
      io_uring_cq_advance(&ring, seen);
    } while (found < 64 && (__atomic_load_n(ring.sq.kflags, __ATOMIC_ACQUIRE) & IORING_SQ_TASKRUN) != 0);
    int confirmed = poll(list, found, 0);
    return confirmed < 0 ? 0 : static_cast<unsigned>(confirmed);
  }

  io_uring ring;
  std::vector<int> fds;
};

template <typename Waiter>
class Rounds final : public Fixture {
 public:
  Rounds(Kind kind, unsigned ready) : ready_(ready) {
    for (unsigned i = 0; i < kWatched; ++i) {
      channels_.push_back(make_channel(kind));
      waiter_.watch(channels_.back().read_end.get(), i);
    }
  }

  void run(uint64_t calls, Stopwatch& watch) override {
    watch.start();
    for (; calls > 0; --calls) {
      uint64_t value = 1;
      auto each = [&](auto one) {
        for (unsigned i = 0; i < ready_; ++i) require(one(channels_[(first_ + i) % kWatched]), "a channel failed");
      };
      each([&](Channel& to) { return write(to.write_end.get(), &value, sizeof value) == sizeof value; });
      require(waiter_.wait() == ready_, "another number of events");
      each([&](Channel& from) { return read(from.read_end.get(), &value, sizeof value) == sizeof value; });
      first_ += ready_;
    }
    watch.stop();
  }

 private:
  unsigned ready_, first_ = 0;
  std::vector<Channel> channels_;
  Waiter waiter_;
};

}  // namespace

void add_ring_cases(Cases& cases) {
  const struct {
    Kind kind;
    const char* name;
  } kinds[] = {{Kind::eventfd, "eventfd"}, {Kind::unix_stream, "unix"}, {Kind::tcp, "tcp"}};
  for (auto& which : kinds)
    for (unsigned ready : {1u, 4u, 16u, 64u})
      cases.add(
          std::string("ring/") + which.name + '/' + std::to_string(ready) + "ready", kNoLimit,
          [kind = which.kind, ready]() -> std::unique_ptr<Fixture> {
            if (is_preloaded()) return std::make_unique<Rounds<PollRing>>(kind, ready);
            return std::make_unique<Rounds<EpollSet>>(kind, ready);
          });
}

}  // namespace kev::bench
#else
#include "case.hpp"

namespace kev::bench {
void add_ring_cases(Cases&) {}
}  // namespace kev::bench
#endif
