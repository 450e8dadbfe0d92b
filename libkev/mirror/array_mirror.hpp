// One poll array as an interest set: what the program passed last time, registered with a private engine.
//
// Keeps a copy of the array (the shadow), the set of its distinct descriptors, and for each of them the chain of
// positions where it stands. sync() brings the registrations up to the program's array by its differences;
// wait() answers, and whatever it answers is the kernel's word:
//   - reported entries are confirmed by one zero-timeout poll() over just them;
//   - an answer, empty or not, is left to the program's own poll() once the last verification is older than the period;
//   - a wait that has slept for a period is finished by the program's own poll().
// One thread at a time; a signal handler that interrupts it must not come back in (mirror/registry.hpp sees to it).
// All memory is one mapping, made by open() and given back by close().
#pragma once

#include <poll.h>

#include "engine/epoll_engine.hpp"
#include "stats/counters.hpp"
#include "wait/signal_gate.hpp"
#include "wait/wait_set.hpp"

namespace kev::mirror {

// What a wait by a mirror came to.
struct Answer {
  // done: `result` is the program's. finish: the rest of the wait is the program's own call (for `reason`), to be made
  // once the mirror has been left.
  enum class Kind : unsigned char { done, finish } kind;
  int result;
  stats::Fallback reason;
};

inline Answer finish(stats::Fallback reason) { return {Answer::Kind::finish, 0, reason}; }

class ArrayMirror {
 public:
  bool is_open() const { return block_.load(std::memory_order_relaxed) != nullptr; }  // any thread

  // Makes room for arrays of up to `count` entries, and the engine. 0 or -errno.
  int open(unsigned count, int wake_fd);
  void close();
  // Closes the engine, gives the holds back, and leaves the rest to a frame that is still inside: it will find the
  // engine gone.
  void disconnect();

  // Takes `fds` as the array to mirror. False: it cannot be, or not worthwhile; `reason` says why.
  bool sync(const pollfd* fds, unsigned count, stats::Fallback& reason);

  // Waits, and writes every revents of `fds` if it is done. Precondition: sync() returned true for this very array.
  // A wait that may sleep closes `gate`; the program's own call that finishes it is to sleep with the gate's mask.
  Answer wait(pollfd* fds, unsigned count, const wait::Deadline& deadline, const sigset_t* mask, wait::SignalGate& gate);

  // The program's own call that finished a wait wrote these results: starts over at the next call if the mirror does
  // not see one of them.
  void check_found_by_kernel(const pollfd* fds, unsigned count);

  // The next answer is verified, however fresh the last verification is.
  void verify_next() { verified_ns_ = INT64_MIN / 2; }

  void start_over_next_time() { stale_ = true; }

  // Makes a wait() by another thread return early, to be finished for Fallback::revoked if it has nothing.
  void wake() { engine_.wake(); }

  unsigned capacity() const { return capacity_; }
  unsigned registrations() const { return set_.size(); }

 private:
  // Where a descriptor stands in the array: a list through next_, in Interest::first as position + 1.
  using Interest = wait::Interest;

  bool scan(const pollfd* fds, unsigned count);
  void clear(pollfd* fds, unsigned count) const;
  bool changed_wholesale(const pollfd* fds, unsigned count, unsigned common) const;
  bool apply(const pollfd* fds, unsigned count, stats::Fallback& reason);
  bool link(unsigned position, stats::Fallback& reason);
  bool unlink(unsigned position);
  uint32_t wanted(const Interest& interest) const;
  Interest* watch(int fd, uint32_t events, stats::Fallback& reason);
  void drop(Interest* interest);
  void drop_emptied();
  bool follow_closes();
  bool start_over();

  bool is_due(int64_t now) const;
  void release_holds();
  Answer nothing(pollfd* fds, unsigned count, const wait::Deadline& deadline);
  int gather();
  int scatter(pollfd* fds, unsigned count, int reported);

  static constexpr unsigned kBlock = 32;

  engine::EpollEngine engine_;
  wait::WaitSet set_;
  std::atomic<void*> block_{nullptr};
  size_t block_bytes_ = 0;
  pollfd* shadow_ = nullptr;     // [capacity_]
  uint32_t* next_ = nullptr;     // [capacity_] position + 1 of the next entry with the same descriptor, 0: none
  pollfd* reported_ = nullptr;   // [ring_slots_] what the engine reported, for the confirmation
  uint8_t* dirty_ = nullptr;     // [capacity_ / kBlock + 1] whether a block of the program's array has revents to clear
  unsigned capacity_ = 0;
  unsigned ring_slots_ = 0;
  unsigned count_ = 0;           // entries of the shadow
  uint32_t changes_seen_ = 0;    // process::held_fd_changes, when the registrations were last looked at
  int64_t verified_ns_ = 0;
  unsigned skip_ = 0;            // calls that still go to the kernel because most entries were ready
  bool disconnected_ = false;    // no engine and no holds: only the memory is left
  bool stale_ = false;           // something did not match: start over at the next call
};

}  // namespace kev::mirror
