// A ring of the calling thread that tells, in memory, whether anything has happened to a few descriptors.
//
// A bell is a multishot poll of one descriptor, in practice of an epoll set. It rings when the set gets an entry to
// report; whether any bell has rung is two loads (has_news). Which one, and that it may ring anew, takes a system call
// (collect). A bell says that something came, never that something is there, nor that nothing is: who wants to know asks
// the kernel once, and is told by silence from then on that the answer still holds:
//
//   armed -> loud     it may have rung, or something may have stood in the set before
//   loud -> silent    has_news() said no, then the kernel said that the set is empty: hush()
//   silent -> loud    collect() found that it rang
//
// What is silent, while has_news() says no, is empty: whatever makes a set ready from then on rings first.
//
// The ring has no descriptor. It belongs to the thread that made it, which alone calls anything here but has_news();
// its end, exec and exit take it along. No child touches it (MADV_DONTFORK would have one crash that forks in a handler). It holds the epoll sets, not what they watch. docs/engines.md.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <linux/io_uring.h>

namespace kev::bell {

class Ring {
 public:
  static constexpr unsigned kBells = 8;

  bool is_open() const { return index_ >= 0; }
  // Whether the calling thread made it. Any thread.
  bool is_mine() const { return owner_ == __builtin_thread_pointer(); }

  // Precondition: closed. -ENOSYS, -EPERM, -EINVAL: not on this system. -ENOMEM, -EMFILE and others: not now.
  // `by_descriptor`: as on kernels before 6.5, where the ring has one until it is registered.
  int open(bool by_descriptor = false);
  // Takes all bells back and the memory. Does nothing on a closed ring.
  void close();
  // Where the ring is not: in a forked child, or behind a seccomp filter. Gives the memory back, unless it is `in_use`: a
  // frame of this thread may still look at it, and finds what was left there.
  void forget(bool in_use);

  // Whether a bell rang since the last collect(). Precondition: open. Any context of this thread.
  bool has_news() const {
    // Acquire: pairs with the kernel's release of the tail, and of what it had to write before it set the flag.
    return (kernel_flags_->load(std::memory_order_acquire) & kNewsFlags) != 0 ||
           completed_->load(std::memory_order_acquire) != taken_;
  }

  // A bell for `fd`, loud: its name, which no other has, or -EBUSY (all are in use), -EBADF, or another error of the ring, which is
  // closed then.
  int arm(int fd);
  // Does nothing if the bell went with the ring. Its file is let go of when this returns.
  void disarm(unsigned bell);
  // Finds out who rang. False: the ring is lost, and closed.
  bool collect();

  // False also for one whose poll has ended by itself.
  bool is_armed(unsigned bell) const { return is(bell, State::loud) || is(bell, State::silent); }
  bool is_silent(unsigned bell) const { return is(bell, State::silent); }
  // Precondition: armed.
  void hush(unsigned bell) { bells_[bell % kBells].state = State::silent; }

 private:
  enum class State : unsigned char { free, loud, silent, ended };
  // A name is a use's number and a place. Completions carry it, so that a late one is nobody's.
  struct Bell {
    State state = State::free;
    unsigned name = 0;
  };

  static constexpr unsigned kNewsFlags = IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN;

  int open_in_own_memory(io_uring_params& params);
  int open_by_descriptor(io_uring_params& params);
  void find_words(const io_uring_params& params);
  bool unregister();
  void unmap();
  io_uring_sqe* next_entry(unsigned char operation);
  bool enter(unsigned submit);
  void take();
  bool is(unsigned bell, State state) const {
    const Bell& place = bells_[bell % kBells];
    return place.name == bell && place.state == state;
  }

  int index_ = -1;
  const void* owner_ = nullptr;
  unsigned uses_ = 0;   // of all places, in all of this object's rings
  unsigned taken_ = 0;  // completions
  std::atomic<unsigned>* kernel_flags_ = nullptr;
  std::atomic<unsigned>* completed_ = nullptr;
  std::atomic<unsigned>* taken_word_ = nullptr;
  std::atomic<unsigned>* submitted_ = nullptr;
  unsigned* order_ = nullptr;
  unsigned submit_mask_ = 0;
  unsigned complete_mask_ = 0;
  io_uring_sqe* entries_ = nullptr;
  io_uring_cqe* completions_ = nullptr;
  char* memory_ = nullptr;
  size_t memory_bytes_ = 0;
  size_t entries_bytes_ = 0;  // of a mapping of their own; 0: they stand in the memory above
  Bell bells_[kBells];
};

}  // namespace kev::bell
