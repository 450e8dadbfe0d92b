// The ring's entries and completions; the contract stands in poll_ring.hpp.
#include "queue/poll_ring.hpp"

#include <cerrno>

#include "os/pid.hpp"
#include "os/uring.hpp"
#include "queue/entry.hpp"

namespace kev::queue {

namespace {

constexpr uint64_t kNobody = Reference{kNone, 0}.token();

}  // namespace

int PollRing::open(PollRing& spare) {
  if (!spare.is_open()) return make();
  // A child that a bare system call has made has a copy of what is its parent's.
  if (spare.process_ != os::getpid()) return -EOPNOTSUPP;
  *this = spare;
  spare = {};
  return 0;
}

int PollRing::make() {
  int error = set_up(kAtOnce, kCompletions, /*by_descriptor=*/false);
  if (error < 0) return error;
  waiting_ = taken_ = polls_ = 0;
  process_ = os::getpid();
  sleep_flags_ = (features() & os::kUringHasNoIowait) != 0 ? os::kUringNoIowait : 0;
  return 0;
}

void PollRing::close(PollRing& spare) {
  if (!is_open()) return;
  constexpr int kTries = 1000;
  io_uring_sqe* entry = next_entry(IORING_OP_ASYNC_CANCEL, waiting_++);
  entry->cancel_flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
  entry->user_data = kNobody;
  epoll_event ignored[kAtOnce];
  for (int tries = 0; tries < kTries && is_open() && polls_ != 0; ++tries)
    if (enter())
      while (take(ignored, kAtOnce) != 0) {
      }
  if (!is_open()) return;
  if (spare.is_open() || polls_ != 0) {
    end();
    return;
  }
  waiting_ = 0;
  spare = *this;
  *this = {};
}

void PollRing::abandon() {
  release();
  index_ = -1;
}

void PollRing::poll(int fd, uint32_t bits, uint64_t token) {
  io_uring_sqe* entry = next_entry(IORING_OP_POLL_ADD, waiting_++);
  entry->fd = fd;
  entry->poll32_events = bits;
  entry->len = IORING_POLL_ADD_MULTI;
  entry->user_data = token;
  ++polls_;
}

void PollRing::cancel(uint64_t token) {
  // POLL_REMOVE leaves one alone that has just been woken (EALREADY).
  io_uring_sqe* entry = next_entry(IORING_OP_ASYNC_CANCEL, waiting_++);
  entry->addr = token;
  entry->user_data = kNobody;
}

bool PollRing::enter() {
  unsigned submit = waiting_;
  waiting_ = 0;
  taken_word_->store(taken_ - kHeldBack, std::memory_order_release);
  if (submit != 0) hand_in(submit);
  int result;
  do result = os::uring_enter(index_, submit, kHeldBack);
  while (result == -EINTR);
  if (result == static_cast<int>(submit)) return true;
  give_up();
  return false;
}

int PollRing::take(epoll_event* events, int max) {
  int count = 0;
  unsigned end = completed_->load(std::memory_order_acquire);
  for (; taken_ != end && count < max; ++taken_) {
    const io_uring_cqe& completion = completions_[taken_ & complete_mask_];
    if (completion.user_data == kNobody) continue;
    uint32_t bits = completion.res < 0 ? 0 : static_cast<uint32_t>(completion.res);
    if ((completion.flags & IORING_CQE_F_MORE) == 0) {
      bits |= kEnded;
      --polls_;
    }
    events[count].events = bits;
    events[count++].data.u64 = completion.user_data;
  }
  return count;
}

int PollRing::sleep(const timespec* timeout, const sigset_t* mask) const {
  // With any that are not given back, an interrupted sleep returns 0.
  taken_word_->store(taken_, std::memory_order_release);
  return os::uring_sleep(index_, 1, timeout, mask, sleep_flags_);
}

}  // namespace kev::queue
