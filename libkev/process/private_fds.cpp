// Placement of our own descriptors; the rules stand in private_fds.hpp.
#include "process/private_fds.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>

#include "os/file.hpp"
#include "process/fd_table.hpp"
#include "process/status.hpp"
#include "wait/signal_gate.hpp"

namespace kev::process {

constinit std::atomic<int> private_guard{INT_MAX};
constinit std::atomic<int> private_count{0};
constinit std::atomic<int> highest_seen{0};
constinit const engine::DescriptorPolicy private_descriptors = {adopt_private, discard_private};

namespace {

constexpr int kWindow = 16;
constexpr long kSmallTable = 1024;
constexpr int kMargin = 8;  // the guard stands at least this far below the lowest of ours
constexpr int kMostLooks = 64;  // for a free number above the guard
constexpr int kFileSignal = 33;  // by which a file of ours is known: libc's own, which no program sets; ours send none

constinit std::atomic<int> highest_used{0};
constinit std::atomic<int> known_table_size{0};

// The lowest number to ask for: in a window at the end of the table's present size, or of the next size when the
// program, whose highest number is `used`, has come near. -EMFILE if it needs what room there is itself.
int number_above(long used, long size) {
  long limit = static_cast<long>(os::descriptor_limit() < kTableDescriptors ? os::descriptor_limit() : kTableDescriptors);
  long window = kWindow + 2L * private_count.load(std::memory_order_relaxed);
  // The table is smaller than what was seen: this is a forked child, or the program asks for what was never open. What it
  // has had itself, the table has had room for; a small one may grow for the rest.
  if (used >= size && used >= kSmallTable) used = size - 1;
  long top = size;
  auto is_near = [&] { return used + 2 * kMargin > top - window; };
  if (is_near()) top *= 2;
  while (is_near() && top > 0 && top < kSmallTable) top *= 2;
  if (top > limit) top = limit;
  if (used + 2 * kMargin > top - window) return -EMFILE;
  return static_cast<int>(top - window);
}

// Above every number that the program ever had, if there is room: it may still wait for one that it closed. If there is
// none, below the highest of those.
int wanted_number() {
  long size = table_size_now();
  long seen = highest_seen.load(std::memory_order_relaxed), used = highest_used.load(std::memory_order_relaxed);
  int wanted = number_above(seen, size);
  if (wanted < 0 && used < seen && seen < size) wanted = number_above(used, seen);
  return wanted >= 0 ? wanted : number_above(used, size);
}

// Moves `fd` to the lowest free number from `wanted` on that the program never had, if there is one near: it may still name
// one that it closed. The number, or -errno.
int move_above(int fd, int wanted) {
  int end = wanted + kMostLooks;
  for (int at = wanted; at < end; ++at) {
    while (at < end && was_had(at)) ++at;
    int moved = os::duplicate_above(fd, at);
    if (moved < 0) break;
    if (!was_had(moved)) return moved;
    os::close(moved);
    at = moved;
  }
  return os::duplicate_above(fd, wanted);
}

void lower_guard(int number) {
  int guard = private_guard.load(std::memory_order_relaxed);
  while (number < guard && !private_guard.compare_exchange_weak(guard, number, std::memory_order_seq_cst)) {
  }
}

// Sets the guard below `mine`, so far that a number between them is free: who asks for the lowest free number is given
// that one before it could meet ours, and is noticed. False: the program has all that were looked at.
bool guard_number(int mine) {
  int taken = 0;
  for (int number = mine - 1; number >= 0 && taken < kMostLooks; --number) {
    lower_guard(std::max(0, std::min(number, mine - kMargin)));
    if (is_private(number)) continue;
    // Looked at behind the guard: who takes it from here on sees the guard.
    if (!os::is_open(number)) return true;
    ++taken;
  }
  return false;
}

}  // namespace

int adopt_private(int fd) {
  if (!map_fd_table()) {
    os::close(fd);
    return -ENOMEM;
  }
  program_uses(fd);  // the lowest free number: all below are the program's
  int moved = os::set_file_signal(fd, kFileSignal);
  if (moved == 0) moved = wanted_number();
  if (moved >= 0) moved = move_above(fd, moved);
  os::close(fd);
  if (moved < 0) return moved;
  FdSlot* slot = fd_slot(moved);
  if (slot == nullptr) {
    os::close(moved);
    return -EMFILE;
  }
  if (moved >= table_size()) table_size_now();
  note_marked(moved);
  slot->marks.fetch_or(kPrivate, std::memory_order_release);
  private_count.fetch_add(1, std::memory_order_relaxed);
  if (!guard_number(moved)) {
    discard_private(moved);
    return -EMFILE;
  }
  return moved;
}

void give_up_private(int fd) {
  FdSlot* slot = fd_slot(fd);
  if (slot == nullptr || (slot->marks.fetch_and(~kPrivate, std::memory_order_acq_rel) & kPrivate) == 0) return;
  if (private_count.fetch_sub(1, std::memory_order_relaxed) == 1)
    private_guard.store(INT_MAX, std::memory_order_relaxed);
}

bool is_still_private(int fd) {
  if (!is_private(fd)) return false;
  int signal = os::file_signal(fd);
  // What cannot be looked at is what it was; only a closed number is known to be none of ours.
  bool ours = signal >= 0 ? signal == kFileSignal : signal != -EBADF;
  if (!ours) give_up_private(fd);
  return ours;
}

bool is_copy_of_private(int fd) { return is_private(fd) && os::file_signal(fd) == kFileSignal; }

bool discard_copies() {
  bool found = false;
  // Another thread of the parent's may end one of ours meanwhile: the search ends with the table.
  int end = std::min(static_cast<int>(fd_table_size.load(std::memory_order_acquire)), table_size());
  for (int fd = private_guard.load(std::memory_order_relaxed), left = private_count.load(std::memory_order_relaxed);
       fd < end && left > 0; ++fd) {
    if (!is_private(fd)) continue;
    --left;
    if (!is_copy_of_private(fd)) continue;
    os::close(fd);
    found = true;
  }
  return found;
}

void discard_private(int fd) {
  if (!is_still_private(fd)) return;
  give_up_private(fd);
  os::close(fd);
}

namespace {

void raise(std::atomic<int>& highest_number, int fd) {
  int highest = highest_number.load(std::memory_order_relaxed);
  while (fd > highest && !highest_number.compare_exchange_weak(highest, fd, std::memory_order_relaxed)) {
  }
}

}  // namespace

void program_has(int fd) { raise(highest_seen, fd); }

void program_uses(int fd) {
  raise(highest_seen, fd);
  raise(highest_used, fd);
}

int table_size_now() {
  // A handler that leaves by siglongjmp must not leave the file open.
  wait::SignalGate gate;
  gate.close();
  int size = static_cast<int>(status_number("FDSize:"));
  gate.open();
  known_table_size.store(size, std::memory_order_relaxed);
  return size;
}

int table_size() {
  int size = known_table_size.load(std::memory_order_relaxed);
  return size != 0 ? size : table_size_now();
}

void forget_private() {
  highest_used.store(0, std::memory_order_relaxed);
  known_table_size.store(0, std::memory_order_relaxed);
  private_count.store(0, std::memory_order_relaxed);
  private_guard.store(INT_MAX, std::memory_order_relaxed);
}

}  // namespace kev::process
