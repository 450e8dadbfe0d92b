// An io_uring of the waiting thread, in which multishot polls of descriptors stand: what was once ready is told when it
// is made ready anew, as by EPOLLET.
//
// Completions are made in the owner's own calls. No more than 20 at a time would be, but for a call that waits for more.
// Those that were not given back yet count: so some are held back (kHeldBack), taken, and a call that waits for as many
// comes back at once with what there is.
//
// A poll holds its file until its last completion. The owner's alone, but is_mine(), has_news() and abandon().
#pragma once

#include <csignal>
#include <cstdint>
#include <ctime>
#include <sys/epoll.h>

#include "bell/kernel_ring.hpp"

namespace kev::queue {

class PollRing : private bell::KernelRing {
 public:
  // Entries before an enter().
  static constexpr unsigned kAtOnce = 64;
  // In `events` of what take() gives: the poll is over, and holds nothing any more.
  static constexpr uint32_t kEnded = 1u << 27;

  using KernelRing::is_mine;
  using KernelRing::is_open;

  // Errors as KernelRing's. `spare`: one that this thread has closed and kept, or one that is not open.
  int open(PollRing& spare);
  // All polls end, and every file is let go of when this returns. The ring is kept in `spare`, if that is free: the end of
  // a ring interrupts what its thread sleeps in a little later, with EINTR and no handler.
  void close(PollRing& spare);
  // With its thread.
  void end_with_thread() {
    if (is_open()) end();
  }
  // Its thread will never close it: the memory goes. Its polls end with that thread.
  void abandon();

  // Whether enter() would bring something, or take(). Not while wakers are on their way: to be sure, enter().
  bool has_news() const {
    // Acquire: pairs with the kernel's release of the tail, and of what it had to write before it set the flag.
    return (kernel_flags_->load(std::memory_order_acquire) & kNewsFlags) != 0 || completions() != 0;
  }
  // Whether some wait for the next enter().
  bool has_entries() const { return waiting_ != 0; }
  unsigned completions() const { return completed_->load(std::memory_order_acquire) - taken_; }

  // From the next enter() on. `bits` as poll(2)'s.
  void poll(int fd, uint32_t bits, uint64_t token);
  void cancel(uint64_t token);
  // Submits, and lets up to about kAtOnce completions come. False: the ring is lost, and closed.
  bool enter();
  // Takes up to `max` completions, as epoll_wait would give them but for kEnded.
  int take(epoll_event* events, int max);

  // Sleeps until there is a completion that was not taken: 0, -ETIME, -EINTR. A wait in which the thread may be cancelled.
  int sleep(const timespec* timeout, const sigset_t* mask) const;

 private:
  int make();

  static constexpr unsigned kHeldBack = 64, kCompletions = 512;
  static constexpr unsigned kNewsFlags = IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN;

  unsigned waiting_ = 0;  // entries for the next enter()
  unsigned taken_ = 0;    // completions
  unsigned polls_ = 0;    // that have not ended
  unsigned process_ = 0;       // whose ring it is
  unsigned sleep_flags_ = 0;
};

}  // namespace kev::queue
