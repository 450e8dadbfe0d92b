// Setting a ring up, and its few entries; the contract stands in ring.hpp.
//
// liburing has no say here: what Debian 12 has of it cannot set up a ring without a descriptor, and the rest would be
// two stores and a loop. The order of the accesses is io_uring(7)'s.
#include "bell/ring.hpp"

#include <cerrno>
#include <climits>
#include <poll.h>

#include "os/file.hpp"
#include "os/memory.hpp"
#include "os/uring.hpp"
#include "wait/signal_gate.hpp"

namespace kev::bell {

namespace {

constexpr unsigned kEntries = 8;
constexpr unsigned kCompletions = 32;
constexpr size_t kPage = 4096;
constexpr uint64_t kNobody = 0;  // no bell's name

constexpr unsigned kFlags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
                            IORING_SETUP_CQSIZE;

io_uring_params parameters(unsigned more) {
  io_uring_params params = {};
  params.flags = kFlags | more;
  params.cq_entries = kCompletions;
  return params;
}

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

int Ring::open(bool by_descriptor) {
  // A handler that leaves by siglongjmp must not leave half a ring behind.
  wait::SignalGate gate;
  gate.close();
  io_uring_params params;
  int index = by_descriptor ? -EINVAL : open_in_own_memory(params);
  if (index == -EINVAL) index = open_by_descriptor(params);
  if (index >= 0) {
    find_words(params);
    state_ = State::free;
    owner_ = this_thread();
    index_ = index;
  }
  gate.open();
  return index < 0 ? index : 0;
}

int Ring::open_in_own_memory(io_uring_params& params) {
  static_assert(kEntries * sizeof(io_uring_sqe) <= kPage && kCompletions * sizeof(io_uring_cqe) <= kPage / 2);
  memory_bytes_ = 2 * kPage;
  entries_bytes_ = 0;
  memory_ = static_cast<char*>(os::map_private(memory_bytes_));
  if (memory_ == nullptr) return -ENOMEM;
  params = parameters(os::kUringNoMmap | os::kUringRegisteredFdOnly);
  os::uring_place(params, memory_, memory_ + kPage);
  int index = os::uring_setup(kEntries, params);
  if (index < 0) unmap();
  return index;
}

// The kernel maps, and the descriptor is given up as soon as the ring is registered.
int Ring::open_by_descriptor(io_uring_params& params) {
  params = parameters(0);
  int fd = os::uring_setup(kEntries, params);
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
  unmap();
  return error;
}

void Ring::find_words(const io_uring_params& params) {
  auto word = [this](unsigned offset) { return reinterpret_cast<std::atomic<unsigned>*>(memory_ + offset); };
  kernel_flags_ = word(params.sq_off.flags);
  submitted_ = word(params.sq_off.tail);
  order_ = reinterpret_cast<unsigned*>(memory_ + params.sq_off.array);
  submit_mask_ = params.sq_entries - 1;
  completed_ = word(params.cq_off.tail);
  taken_word_ = word(params.cq_off.head);
  complete_mask_ = params.cq_entries - 1;
  completions_ = reinterpret_cast<io_uring_cqe*>(memory_ + params.cq_off.cqes);
  if (entries_bytes_ == 0) entries_ = reinterpret_cast<io_uring_sqe*>(memory_ + kPage);
  taken_ = 0;
}

void Ring::unmap() {
  if (entries_bytes_ != 0) os::munmap(entries_, entries_bytes_);
  if (memory_ != nullptr) os::munmap(memory_, memory_bytes_);
  memory_ = nullptr;
  entries_bytes_ = 0;
}

void Ring::close() {
  if (!is_open()) return;
  wait::SignalGate gate;
  gate.close();
  disarm();  // at once; the ring's own end would come a little later
  if (is_open()) {
    // Before 6.3 it goes with the thread; what the kernel has mapped may go before.
    bool is_gone = unregister() || entries_bytes_ != 0;
    index_ = -1;
    if (is_gone) unmap();
  }
  gate.open();
}

bool Ring::unregister() {
  io_uring_rsrc_update update = {static_cast<unsigned>(index_), 0, 0};
  return os::uring_register(index_, IORING_UNREGISTER_RING_FDS | os::kUringUseRegisteredRing, &update, 1) == 1;
}

void Ring::forget(bool in_use) {
  if (is_open() && !in_use) unmap();
  if (state_ != State::free) state_ = State::ended;
  index_ = -1;
}

io_uring_sqe* Ring::next_entry(unsigned char operation) {
  unsigned at = submitted_->load(std::memory_order_relaxed) & submit_mask_;
  order_[at] = at;
  io_uring_sqe* entry = entries_ + at;
  *entry = {};
  entry->opcode = operation;
  return entry;
}

// False: the ring is lost. It is the thread's own, and asks for nothing that could fail; what does is given up.
bool Ring::enter(unsigned submit) {
  if (submit > 0) submitted_->store(submitted_->load(std::memory_order_relaxed) + submit, std::memory_order_release);
  int result;
  do result = os::uring_enter(index_, submit);
  while (result == -EINTR);
  if (result == static_cast<int>(submit)) return true;
  if (state_ != State::free) state_ = State::ended;
  // Its end lets go of what is polled. The kernel has the memory until then, or until the thread ends.
  if (is_mine()) unregister();
  index_ = -1;
  return false;
}

int Ring::arm(int fd) {
  if (state_ != State::free) return -EBUSY;
  name_ = name_ % INT_MAX + 1;
  state_ = State::loud;
  io_uring_sqe* entry = next_entry(IORING_OP_POLL_ADD);
  entry->fd = fd;
  entry->poll32_events = POLLIN;
  entry->len = IORING_POLL_ADD_MULTI;
  entry->user_data = name_;
  if (!enter(1)) return -EIO;
  take();
  if (state_ != State::ended) return static_cast<int>(name_);
  state_ = State::free;
  return -EBADF;
}

void Ring::disarm() {
  bool is_polled = is_open() && is_armed(name_);
  state_ = State::free;
  if (!is_polled) return;
  // POLL_REMOVE leaves one alone that has just rung (EALREADY). What has been cancelled is let go of in the same call.
  io_uring_sqe* entry = next_entry(IORING_OP_ASYNC_CANCEL);
  entry->addr = name_;
  entry->user_data = kNobody;
  if (enter(1)) take();
}

bool Ring::collect() {
  ++collections_;
  if (!enter(0)) return false;
  take();
  return true;
}

void Ring::take() {
  unsigned end = completed_->load(std::memory_order_acquire);
  for (; taken_ != end; ++taken_) {
    const io_uring_cqe& completion = completions_[taken_ & complete_mask_];
    if (completion.user_data != name_ || state_ == State::free) continue;
    state_ = (completion.flags & IORING_CQE_F_MORE) != 0 ? State::loud : State::ended;
  }
  taken_word_->store(taken_, std::memory_order_release);
}

}  // namespace kev::bell
