// Setting a ring up and ending it; the contract stands in kernel_ring.hpp.
//
// liburing has no say here: what Debian 12 has of it cannot set up a ring without a descriptor, and the rest would be
// two stores and a loop. The order of the accesses is io_uring(7)'s.
#include "bell/kernel_ring.hpp"

#include <cerrno>

#include "os/file.hpp"
#include "os/memory.hpp"
#include "os/uring.hpp"
#include "wait/signal_gate.hpp"

namespace kev::bell {

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kHeaderBytes = 512;  // the kernel's, before completions and order; it says -EINVAL if it needs more

constexpr unsigned kFlags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
                            IORING_SETUP_CQSIZE;

size_t whole_pages(size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

char* map_ring(size_t bytes, int fd, long what, int& error) {
  return static_cast<char*>(os::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what, error));
}

constinit std::atomic<unsigned long> threads{0};
constinit thread_local unsigned long thread_number = 0;

}  // namespace

unsigned long this_thread() {
  if (thread_number == 0) thread_number = threads.fetch_add(1, std::memory_order_relaxed) + 1;
  return thread_number;
}

int KernelRing::set_up(unsigned entries, unsigned completions, bool by_descriptor) {
  // A handler that leaves by siglongjmp must not leave half a ring behind.
  wait::SignalGate gate;
  gate.close();
  io_uring_params params = {};
  params.flags = kFlags;
  params.cq_entries = completions;
  int index = by_descriptor ? -EINVAL : set_up_in_own_memory(params, entries);
  if (index == -EINVAL) {
    params = {};
    params.flags = kFlags;
    params.cq_entries = completions;
    index = set_up_by_descriptor(params, entries);
  }
  if (index >= 0) {
    find_words(params);
    owner_ = this_thread();
    index_ = index;
  }
  gate.open();
  return index < 0 ? index : 0;
}

int KernelRing::set_up_in_own_memory(io_uring_params& params, unsigned entries) {
  rings_bytes_ =
      whole_pages(kHeaderBytes + params.cq_entries * sizeof(io_uring_cqe) + entries * sizeof(unsigned));
  memory_bytes_ = rings_bytes_ + whole_pages(entries * sizeof(io_uring_sqe));
  entries_bytes_ = 0;
  memory_ = static_cast<char*>(os::map_private(memory_bytes_));
  if (memory_ == nullptr) return -ENOMEM;
  params.flags |= os::kUringNoMmap | os::kUringRegisteredFdOnly;
  os::uring_place(params, memory_, memory_ + rings_bytes_);
  int index = os::uring_setup(entries, params);
  if (index < 0) release();
  return index;
}

// The kernel maps, and the descriptor is given up as soon as the ring is registered.
int KernelRing::set_up_by_descriptor(io_uring_params& params, unsigned entries) {
  int fd = os::uring_setup(entries, params);
  if (fd < 0) return fd;
  int error = 0;
  size_t submit_bytes = params.sq_off.array + params.sq_entries * sizeof(unsigned);
  size_t complete_bytes = params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe);
  memory_bytes_ = submit_bytes > complete_bytes ? submit_bytes : complete_bytes;
  memory_ = map_ring(memory_bytes_, fd, IORING_OFF_SQ_RING, error);
  if (error == 0) {
    entries_bytes_ = params.sq_entries * sizeof(io_uring_sqe);
    entries_ = reinterpret_cast<io_uring_sqe*>(map_ring(entries_bytes_, fd, IORING_OFF_SQES, error));
    if (error != 0) entries_bytes_ = 0;
  }
  io_uring_rsrc_update update = {~0u, 0, static_cast<uint64_t>(fd)};
  if (error == 0) {
    int registered = os::uring_register(fd, IORING_REGISTER_RING_FDS, &update, 1);
    if (registered != 1) error = registered < 0 ? registered : -EMFILE;
  }
  os::close(fd);
  if (error == 0) return static_cast<int>(update.offset);
  release();
  return error;
}

void KernelRing::find_words(const io_uring_params& params) {
  auto word = [this](unsigned offset) { return reinterpret_cast<std::atomic<unsigned>*>(memory_ + offset); };
  kernel_flags_ = word(params.sq_off.flags);
  submitted_ = word(params.sq_off.tail);
  order_ = reinterpret_cast<unsigned*>(memory_ + params.sq_off.array);
  submit_mask_ = params.sq_entries - 1;
  features_ = params.features;
  completed_ = word(params.cq_off.tail);
  taken_word_ = word(params.cq_off.head);
  complete_mask_ = params.cq_entries - 1;
  completions_ = reinterpret_cast<io_uring_cqe*>(memory_ + params.cq_off.cqes);
  if (entries_bytes_ == 0) entries_ = reinterpret_cast<io_uring_sqe*>(memory_ + rings_bytes_);
}

void KernelRing::release() {
  if (entries_bytes_ != 0) os::munmap(entries_, entries_bytes_);
  if (memory_ != nullptr) os::munmap(memory_, memory_bytes_);
  memory_ = nullptr;
  entries_bytes_ = 0;
}

void KernelRing::end() {
  // Before 6.3 it goes with the thread; what the kernel has mapped may go before.
  bool is_gone = unregister() || entries_bytes_ != 0;
  index_ = -1;
  if (is_gone) release();
}

void KernelRing::give_up() {
  if (is_mine()) unregister();
  index_ = -1;
}

bool KernelRing::unregister() {
  io_uring_rsrc_update update = {static_cast<unsigned>(index_), 0, 0};
  return os::uring_register(index_, IORING_UNREGISTER_RING_FDS | os::kUringUseRegisteredRing, &update, 1) == 1;
}

io_uring_sqe* KernelRing::next_entry(unsigned char operation, unsigned ahead) {
  unsigned at = (submitted_->load(std::memory_order_relaxed) + ahead) & submit_mask_;
  order_[at] = at;
  io_uring_sqe* entry = entries_ + at;
  *entry = {};
  entry->opcode = operation;
  return entry;
}

}  // namespace kev::bell
