// An array mirror's life. Following the array is array_sync.cpp's, where to look at what array_places.cpp's, waiting
// array_wait.cpp's.
#include "mirror/array_mirror.hpp"

#include <cerrno>
#include <sys/mman.h>

#include "mirror/compare.hpp"
#include "mirror/tuning.hpp"
#include "mirror/watch_limit.hpp"
#include "os/memory.hpp"
#include "process/fd_table.hpp"
#include "process/private_fds.hpp"

namespace kev::mirror {

constinit Tuning tuning;

using wait::WaitSet;

namespace {

unsigned power_of_two_above(unsigned n) {
  unsigned power = 16;
  while (power < n) power *= 2;
  return power;
}

// Hands out pieces of one mapping, each aligned for its type.
class Carver {
 public:
  explicit Carver(void* block) : at_(static_cast<char*>(block)) {}
  template <typename T>
  T* take(size_t count) {
    at_ += -reinterpret_cast<uintptr_t>(at_) & (alignof(T) - 1);
    T* piece = reinterpret_cast<T*>(at_);
    at_ += count * sizeof(T);
    return piece;
  }

 private:
  char* at_;
};

}  // namespace

int ArrayMirror::open(unsigned count, int wake_fd, Closed closed) {
  read_watch_limit();
  unsigned capacity = (count + count / 16 + 31) & ~15u;
  unsigned ring_slots = power_of_two_above(capacity / kRingShare);
  unsigned interest_slots = wait::InterestSet::slots_for(capacity);
  unsigned list_room = capacity + 1 + ring_slots;
  size_t bytes = ring_slots * (sizeof(WaitSet::Event) + sizeof(epoll_event)) + interest_slots * sizeof(Interest) +
                 list_room * sizeof(pollfd) + capacity * (sizeof(pollfd) + 2 * sizeof(uint32_t)) +
                 blocks_of(capacity) + 128;
  void* block = os::map_private(bytes);
  if (block == nullptr) return -ENOMEM;
  Carver carver(block);
  auto* ring = carver.take<WaitSet::Event>(ring_slots);
  auto* interests = carver.take<Interest>(interest_slots);
  auto* scratch = carver.take<epoll_event>(ring_slots);
  auto* list = carver.take<pollfd>(list_room);
  shadow_ = carver.take<pollfd>(capacity);
  next_ = carver.take<uint32_t>(capacity);
  auto* last_ready = carver.take<uint32_t>(capacity);
  blocks_ = carver.take<uint8_t>(blocks_of(capacity));

  engine_.configure(scratch, static_cast<int>(ring_slots), wake_fd, process::private_descriptors);
  int error = engine_.open();
  if (error < 0) {
    os::munmap(block, bytes);
    return error;
  }
  set_.attach(engine_, ring, ring_slots, interests, interest_slots);
  direct_.attach(list, last_ready);
  block_ = block;
  block_bytes_ = bytes;
  capacity_ = capacity;
  ring_slots_ = ring_slots;
  closed_ = closed;
  count_ = watched_ = orphans_ = sweep_ = refused_ = 0;
  wholesale_at_ = calls_ - tuning.watch_after;
  watched_reports_ = sleepy_ = long_sleeps_ = 0;
  stale_ = false;
  disconnected_ = false;
  verified_ns_ = os::clock_ns(CLOCK_MONOTONIC);
  changes_seen_ = process::held_fd_changes.load(std::memory_order_acquire);
  return 0;
}

// The bell holds the set, and would go on telling what happens to that one.
void ArrayMirror::close_engine() {
  bell_.let_go();
  engine_.close();
}

void ArrayMirror::close() {
  if (!is_open()) return engine_.close();  // half open, when a fork came in between
  // Closing the set takes its registrations along.
  if (!disconnected_) release_holds();
  close_engine();
  count_ = watched_ = 0;
  // Forgotten before it is unmapped: a child forked in between must not unmap it a second time.
  void* block = block_;
  block_ = nullptr;
  os::munmap(block, block_bytes_);
}

void ArrayMirror::disconnect() {
  if (is_open() && !disconnected_) release_holds();
  disconnected_ = true;
  close_engine();
}

}  // namespace kev::mirror
