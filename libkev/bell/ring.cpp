// A bell's few entries and completions; the contract stands in ring.hpp.
#include "bell/ring.hpp"

#include <cerrno>
#include <climits>
#include <poll.h>

#include "os/uring.hpp"
#include "wait/signal_gate.hpp"

namespace kev::bell {

namespace {

constexpr unsigned kEntries = 8;
constexpr unsigned kCompletions = 32;
constexpr uint64_t kNobody = 0;  // no bell's name

}  // namespace

int Ring::open(bool by_descriptor) {
  state_ = State::free;
  taken_ = 0;
  return set_up(kEntries, kCompletions, by_descriptor);
}

void Ring::close() {
  if (!is_open()) return;
  wait::SignalGate gate;
  gate.close();
  disarm();  // at once; the ring's own end would come a little later
  if (is_open()) end();
  gate.open();
}

void Ring::forget(bool in_use) {
  if (is_open() && !in_use) release();
  if (state_ != State::free) state_ = State::ended;
  index_ = -1;
}

// False: the ring is lost. It is the thread's own, and asks for nothing that could fail; what does is given up.
bool Ring::enter(unsigned submit) {
  if (submit > 0) hand_in(submit);
  int result;
  do result = os::uring_enter(index_, submit);
  while (result == -EINTR);
  if (result == static_cast<int>(submit)) return true;
  if (state_ != State::free) state_ = State::ended;
  // Its end lets go of what is polled. The kernel has the memory until then, or until the thread ends.
  give_up();
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
