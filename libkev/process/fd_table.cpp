// The table of descriptor numbers; the protocol stands in fd_table.hpp.
#include "process/fd_table.hpp"

#include <sys/mman.h>

#include "os/memory.hpp"
#include "process/private_fds.hpp"
#include "process/vfork.hpp"

namespace kev::process {

constinit std::atomic<FdSlot*> fd_table{nullptr};
constinit std::atomic<uint32_t> fd_table_size{0};
constinit std::atomic<uint32_t> held_fd_changes{0};
constinit std::atomic<uint64_t> near_marks[kNearNumbers / 64] = {};
constinit std::atomic<uint64_t> near_had[kNearNumbers / 64] = {};

namespace {

constinit std::atomic<uint32_t> highest_marked{0};

}  // namespace

namespace {

constexpr unsigned long kTableBytes = static_cast<unsigned long>(kTableDescriptors) * sizeof(FdSlot);

}  // namespace

bool map_fd_table() {
  if (fd_table_size.load(std::memory_order_acquire) != 0) return true;
  void* memory = os::map_private(kTableBytes, MAP_NORESERVE);
  if (memory == nullptr) return false;
  FdSlot* none = nullptr;
  if (!fd_table.compare_exchange_strong(none, static_cast<FdSlot*>(memory), std::memory_order_acq_rel))
    os::munmap(memory, kTableBytes);  // another thread was faster
  fd_table_size.store(kTableDescriptors, std::memory_order_release);
  return true;
}

void clear_fd_table() {
  FdSlot* table = fd_table.load(std::memory_order_relaxed);
  for (auto& word : near_marks) word.store(0, std::memory_order_relaxed);
  if (table != nullptr) os::madvise(table, kTableBytes, MADV_DONTNEED);
}

void note_marked(int fd) {
  uint32_t number = static_cast<uint32_t>(fd);
  uint32_t highest = highest_marked.load(std::memory_order_relaxed);
  while (number > highest &&
         !highest_marked.compare_exchange_weak(highest, number, std::memory_order_release, std::memory_order_relaxed)) {
  }
  if (number < kNearNumbers) near_marks[number / 64].fetch_or(uint64_t{1} << number % 64, std::memory_order_seq_cst);
}

FdSlot* hold_fd(int fd) {
  FdSlot* slot = fd_slot(fd);
  if (slot == nullptr) return nullptr;
  note_marked(fd);
  slot->marks.fetch_add(kHolder, std::memory_order_seq_cst);
  return slot;
}

void release_fd(int fd) {
  FdSlot* slot = fd_slot(fd);
  // After a fork in between the table was cleared: then there is nothing to give back.
  if (slot != nullptr && (slot->marks.load(std::memory_order_relaxed) & kHolders) != 0)
    slot->marks.fetch_sub(kHolder, std::memory_order_release);
}

void note_change(int fd) {
  if (in_vfork_child()) return;
  FdSlot* slot = fd_slot(fd);
  slot->generation.fetch_add(1, std::memory_order_release);
  held_fd_changes.fetch_add(1, std::memory_order_release);
}

void fd_range_changed(uint32_t first, uint32_t last) {
  uint32_t size = fd_table_size.load(std::memory_order_acquire);
  if (size == 0 || in_vfork_child()) return;
  if (last >= size) last = size - 1;
  // Numbers beyond any that was ever held lie in pages never touched; reading them would touch them.
  uint32_t end = highest_marked.load(std::memory_order_acquire);
  if (last > end) last = end;
  for (uint32_t fd = first; fd <= last; ++fd) {
    give_up_private(static_cast<int>(fd));
    fd_changed(static_cast<int>(fd));
  }
}

void fd_shared(int fd) {
  FdSlot* slot = fd_slot(fd);
  if (slot == nullptr || in_vfork_child()) return;
  if ((slot->marks.load(std::memory_order_relaxed) & kHolders) != 0)
    slot->marks.fetch_or(kShared, std::memory_order_relaxed);
}

}  // namespace kev::process
