// What a native poll and one of the core's own system calls cost on this machine, for the report's estimate.
//
// Takes the least of several rounds: whatever disturbs a round makes it longer. Makes its descriptors and closes
// them again, so it runs before the program's first instruction or not at all. Does not live here: the estimate.
#include "os/clock.hpp"
#include "os/epoll.hpp"
#include "os/file.hpp"
#include "os/poll.hpp"
#include "stats/page.hpp"

#include <sys/eventfd.h>

namespace kev::stats {

namespace {

constexpr unsigned kDescriptors = 64;
constexpr unsigned kRounds = 6;
constexpr unsigned kCallsPerRound = 4;

// The least time of one call of `work`, in picoseconds.
template <typename Work>
uint64_t least_ps(Work work) {
  uint64_t least = ~0ull;
  for (unsigned round = 0; round < kRounds; ++round) {
    uint64_t begin = os::monotonic_ns();
    for (unsigned i = 0; i < kCallsPerRound; ++i) work();
    uint64_t took = os::monotonic_ns() - begin;
    if (took < least) least = took;
  }
  return least * 1000 / kCallsPerRound;
}

}  // namespace

void calibrate(Header& header) {
  if (header.core_entry_ps.load(std::memory_order_relaxed) != 0) return;
  int event = static_cast<int>(arch::syscall(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK));
  int set = os::epoll_create1(EPOLL_CLOEXEC);
  epoll_event interest = {};
  interest.events = EPOLLIN;
  if (event >= 0 && set >= 0 && os::epoll_ctl(set, EPOLL_CTL_ADD, event, &interest) == 0) {
    pollfd array[kDescriptors];
    for (pollfd& entry : array) entry = {event, POLLIN, 0};
    epoll_event found[1];
    uint64_t one = least_ps([&] { os::poll_now(array, 1); });
    uint64_t many = least_ps([&] { os::poll_now(array, kDescriptors); });
    uint64_t entry = least_ps([&] { os::epoll_harvest(set, found, 1); });
    uint64_t each = many > one ? (many - one) / (kDescriptors - 1) : 0;
    header.poll_base_ps.store(one > each ? one - each : 0, std::memory_order_relaxed);
    header.poll_descriptor_ps.store(each, std::memory_order_relaxed);
    header.core_entry_ps.store(entry != 0 ? entry : 1, std::memory_order_release);
  }
  if (set >= 0) os::close(set);
  if (event >= 0) os::close(event);
}

void calibrate() {
  if (const Header* h = header()) calibrate(const_cast<Header&>(*h));
}

}  // namespace kev::stats
