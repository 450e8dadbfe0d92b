// An io_uring without a descriptor, of the thread that made it: its set-up, its words and entries, and its end.
//
// What is asked of it, and what its completions mean, is its heirs': bell::Ring, queue::PollRing. Everything here is the
// owner's alone but is_mine() and release().
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <linux/io_uring.h>

namespace kev::bell {

// A number of the calling thread's own, as no thread pointer is: a later thread may have that.
unsigned long this_thread();

class KernelRing {
 public:
  bool is_open() const { return index_ >= 0; }
  // Whether the calling thread made it. Any thread.
  bool is_mine() const { return owner_ != 0 && owner_ == this_thread(); }

 protected:
  // Room for `entries` and `completions`, powers of two. 0; -ENOSYS, -EPERM, -EINVAL: not on this system; -ENOMEM,
  // -EMFILE and others: not now. `by_descriptor`: as on kernels before 6.5, where the ring has one until it is
  // registered. Precondition: closed.
  int set_up(unsigned entries, unsigned completions, bool by_descriptor);
  // The ring's end, which lets go of what it holds; and its memory. The kernel is done a little later, and interrupts
  // what the thread sleeps in then: its epoll_wait says EINTR, with no handler. So rings live as long as their threads.
  void end();
  // Ends it where the memory may still be looked at. By another thread, or in a child, it does nothing: the kernel has
  // the ring until its thread ends.
  void give_up();
  // The memory goes, whoever asks; the kernel has its own hold on what it needs.
  void release();

  // What the next entry asks for, to be filled in; submitted with the ones before it. Precondition: there is room.
  io_uring_sqe* next_entry(unsigned char operation, unsigned ahead = 0);
  // `count` entries are the kernel's to see.
  void hand_in(unsigned count) {
    submitted_->store(submitted_->load(std::memory_order_relaxed) + count, std::memory_order_release);
  }

  // What the kernel offers: IORING_FEAT_*.
  unsigned features() const { return features_; }

  int index_ = -1;
  std::atomic<unsigned>* kernel_flags_ = nullptr;
  std::atomic<unsigned>* completed_ = nullptr;
  std::atomic<unsigned>* taken_word_ = nullptr;
  unsigned complete_mask_ = 0;
  io_uring_cqe* completions_ = nullptr;

 private:
  int set_up_in_own_memory(io_uring_params& params, unsigned entries);
  int set_up_by_descriptor(io_uring_params& params, unsigned entries);
  void find_words(const io_uring_params& params);
  bool unregister();

  unsigned long owner_ = 0;
  unsigned features_ = 0;
  std::atomic<unsigned>* submitted_ = nullptr;
  unsigned* order_ = nullptr;
  unsigned submit_mask_ = 0;
  io_uring_sqe* entries_ = nullptr;
  char* memory_ = nullptr;
  size_t memory_bytes_ = 0;
  size_t rings_bytes_ = 0;    // of the memory, before the entries
  size_t entries_bytes_ = 0;  // of a mapping of their own; 0: they stand in the memory above
};

}  // namespace kev::bell
