// A bell: a ring of the calling thread that tells, in memory, whether anything has happened to a descriptor.
//
// In the ring stands a multishot poll of the descriptor, in practice of an epoll set. It rings when the set gets an entry
// to report; whether it has rung is two loads (has_news). That it may ring anew takes a system call (collect). It says that
// something came, never that something is there, nor that nothing is: who wants to know asks the kernel once, and is told
// by silence from then on that the answer still holds:
//
//   armed -> loud     it may have rung, or something may have stood in the set before
//   loud -> silent    has_news() said no, then the kernel said that the set is empty: hush()
//   silent -> loud    collect() found that it rang
//
// What is silent, while has_news() says no, is empty: whatever makes a set ready from then on rings first. A ring has but
// one bell, since the kernel shows only the first of several that ring at once: the second is not to be seen until the
// first is, which may be longer than its call lasts.
//
// It has no descriptor, and belongs to the thread that made it, which alone calls anything here but has_news();
// its end, exec and exit take it along. No child touches it (MADV_DONTFORK would have one crash that forks in a handler). It holds the epoll set, not what that watches. docs/engines.md.
#pragma once

#include "bell/kernel_ring.hpp"

namespace kev::bell {

class Ring : private KernelRing {
 public:
  using KernelRing::is_mine;
  using KernelRing::is_open;

  // Precondition: closed. -ENOSYS, -EPERM, -EINVAL: not on this system. -ENOMEM, -EMFILE and others: not now.
  // `by_descriptor`: as on kernels before 6.5, where the ring has one until it is registered.
  int open(bool by_descriptor = false);
  // Takes the bell back and the memory. Does nothing on a closed ring.
  void close();
  // Where the ring is not: in a forked child, or behind a seccomp filter. Gives the memory back, unless it is `in_use`: a
  // frame of this thread may still look at it, and finds what was left there.
  void forget(bool in_use);

  // Whether the bell rang since the last collect(). Precondition: open. Any context of this thread.
  bool has_news() const {
    // Acquire: pairs with the kernel's release of the tail, and of what it had to write before it set the flag.
    return (kernel_flags_->load(std::memory_order_acquire) & kNewsFlags) != 0 ||
           completed_->load(std::memory_order_acquire) != taken_;
  }

  // Hangs the bell at `fd`, loud. Its name, which no later use has; or -EBUSY (it hangs), -EBADF, or another error of the
  // ring, which is closed then.
  int arm(int fd);
  // The file is let go of when this returns.
  void disarm();
  // Lets it ring anew. False: the ring is lost, and closed.
  bool collect();
  // How often that was.
  unsigned collections() const { return collections_; }

  // False also if the poll has ended by itself, or the name is of an earlier use.
  bool is_armed(unsigned name) const { return name_ == name && (state_ == State::loud || state_ == State::silent); }
  bool is_silent(unsigned name) const { return name_ == name && state_ == State::silent; }
  // Precondition: armed.
  void hush() { state_ = State::silent; }

 private:
  enum class State : unsigned char { free, loud, silent, ended };

  static constexpr unsigned kNewsFlags = IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN;

  bool enter(unsigned submit);
  void take();

  State state_ = State::free;
  unsigned name_ = 0;   // completions carry it, so that a late one is nobody's
  unsigned collections_ = 0;
  unsigned taken_ = 0;  // completions
};

}  // namespace kev::bell
