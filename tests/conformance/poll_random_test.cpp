// poll: thousands of random steps, each answer compared with the kernel's own.
//
// A step changes the array (descriptor, events, order, size) or the world (writes, reads, closes, duplicates,
// replaces), then polls; the same array is asked of the kernel by the system-call instruction in the same state.
#include <algorithm>
#include <random>

#include "support/padded_array.hpp"
#include "support/signals.hpp"

namespace conformance {
namespace {

struct Walk {
  const char* name;
  std::size_t padding;
  unsigned seed;
  int steps;
};

class PollRandomTest : public ::testing::TestWithParam<Walk> {};

INSTANTIATE_TEST_SUITE_P(Walk, PollRandomTest,
                         ::testing::Values(Walk{"Among16", 16, 1, 3000}, Walk{"Among20", 20, 2, 3000},
                                           Walk{"Among40", 40, 3, 3000}, Walk{"Among41", 41, 4, 3000},
                                           Walk{"Among100", 100, 5, 1500}, Walk{"Among300", 300, 6, 800}),
                         [](const ::testing::TestParamInfo<Walk>& which) { return which.param.name; });

// A handful of files, each with a few numbers.
class World {
 public:
  explicit World(std::mt19937& random) : random_(random) {
    for (int i = 0; i < 12; ++i) open_one();
  }
  int any() { return fds_.empty() ? -1 : fds_[below(fds_.size())].get(); }
  void step() {
    const std::size_t at = fds_.empty() ? 0 : below(fds_.size());
    char buffer[64];
    switch (below(9)) {
      case 0:
      case 1: (void)!::write(any(), "12345678", 8); break;
      case 2:
      case 3: (void)!::read(any(), buffer, sizeof buffer); break;
      case 4:
        if (fds_.size() < 40) open_one();
        break;
      case 5:
        if (fds_.size() > 6) {
          std::swap(fds_[at], fds_.back());
          fds_.pop_back();
        }
        break;
      case 6:
        if (fds_.size() < 40) fds_.push_back(Descriptor(::fcntl(any(), F_DUPFD_CLOEXEC, 0)));
        break;
      case 7: ::dup2(any(), fds_[at].get()); break;
      default: ::shutdown(any(), below(2) ? SHUT_WR : SHUT_RD); break;
    }
  }

 private:
  std::size_t below(std::size_t limit) { return random_() % limit; }
  void take(Pipe pair) {
    fds_.push_back(std::move(pair.in));
    fds_.push_back(std::move(pair.out));
  }
  void open_one() {
    switch (below(5)) {
      case 0: take(make_pipe()); break;
      case 1: take(make_socketpair(SOCK_STREAM)); break;
      case 2: take(make_socketpair(SOCK_DGRAM)); break;
      case 3: fds_.push_back(Descriptor(::open("/dev/null", O_RDWR | O_CLOEXEC))); break;
      default: fds_.push_back(make_event()); break;
    }
  }
  std::mt19937& random_;
  std::vector<Descriptor> fds_;
};

TEST_P(PollRandomTest, EveryAnswerIsTheKernels) {
  const Handler no_broken_pipes(SIGPIPE, SIG_IGN);
  std::mt19937 random(GetParam().seed);
  World world(random);
  PaddedArray array({"", GetParam().padding, static_cast<Via>(GetParam().seed % 4)});
  for (int i = 0; i < 8; ++i) array.add(world.any(), POLLIN);
  for (int step = 0; step < GetParam().steps; ++step) {
    std::vector<pollfd>& entries = array.entries();
    pollfd& entry = entries[random() % entries.size()];
    switch (random() % 12) {
      case 0: array.subject(random() % 8).fd = world.any(); break;
      case 1: array.subject(random() % 8).events = static_cast<short>(random()); break;
      case 2: entry.fd = ~entry.fd; break;
      case 3: std::swap(entry, entries[random() % entries.size()]); break;
      case 4:
        if (entries.size() < GetParam().padding + 20) entries.push_back({world.any(), POLLIN | POLLOUT, 0});
        break;
      case 5:
        if (entries.size() > GetParam().padding + 9) entries.pop_back();
        break;
      default: world.step(); break;
    }
    ASSERT_TRUE(array.agrees_with_kernel()) << "step " << step;
    if (random() % 4 == 0) {
      ASSERT_TRUE(array.keeps_agreeing()) << "step " << step;
    }
  }
}

}  // namespace
}  // namespace conformance
