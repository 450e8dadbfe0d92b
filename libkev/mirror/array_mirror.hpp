// One poll array as an interest set: what the program passed last time, watched by a private engine or asked directly.
//
// Keeps a copy of the array (the shadow), the set of its distinct descriptors, for each of them the chain of positions
// where it stands, and where it is looked at (place.hpp). sync() follows the program's array by its differences;
// wait() answers, and whatever it answers is the kernel's word:
//   - what is said of a direct descriptor is what poll() said of it in this wait;
//   - what the engine reports is confirmed by one zero-timeout poll() over just that;
//   - once the last verification is older than the period, the kernel is asked of the whole array;
//   - the rest of a wait that has slept for a period is the program's own poll().
// The last two only while anything is watched. One thread at a time; a signal handler that interrupts it must not come
// back in (record/registry.hpp sees to it). All memory is one mapping, made by open() and given back by close().
#pragma once

#include <poll.h>

#include "engine/epoll_engine.hpp"
#include "mirror/direct_list.hpp"
#include "mirror/engine_bell.hpp"
#include "mirror/place.hpp"
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

inline Answer done(int result) { return {Answer::Kind::done, result, {}}; }
inline Answer finish(stats::Fallback reason) { return {Answer::Kind::finish, 0, reason}; }

class ArrayMirror {
 public:
  // What the program's own call does with a closed descriptor, and so what may be asked before it: poll() says POLLNVAL
  // of that entry; select() fails before it has looked at any other, one of a kind whose poll consumes included.
  enum class Closed : unsigned char { is_an_entrys, fails_the_call };

  // Before the first open(): while a wait sleeps, the engine may be taken by whoever owns `holder` (wait/sleeper.hpp).
  void belong_to(std::atomic<uintptr_t>& holder) { holder_ = &holder; }

  bool is_open() const { return block_.load(std::memory_order_relaxed) != nullptr; }  // any thread

  // Makes room for arrays of up to `count` entries, and the engine. 0 or -errno.
  int open(unsigned count, int wake_fd, Closed closed = Closed::is_an_entrys);
  void close();
  // Closes the engine, gives the holds back, and leaves the rest to a frame that is still inside: it will find the
  // engine gone.
  void disconnect();

  // Takes `fds` as the array to mirror. False: it cannot be, or not worthwhile; `reason` says why.
  bool sync(const pollfd* fds, unsigned count, stats::Fallback& reason);

  // Waits, and writes every revents of `fds` if it is done. Precondition: sync() returned true for this very array.
  // A wait that may sleep closes `gate`; the program's own call that finishes it is to sleep with the gate's mask.
  Answer wait(pollfd* fds, unsigned count, const wait::Deadline& deadline, const sigset_t* mask, wait::SignalGate& gate);

  // The program's own call that finished a wait wrote these results: what it saw and the engine does not is watched no
  // longer.
  void check_found_by_kernel(const pollfd* fds, unsigned count);

  // The next answer is verified, however fresh the last verification is.
  void verify_next() { verified_ns_ = INT64_MIN / 2; }

  void start_over_next_time() { stale_ = true; }

  // Makes a wait() by another thread return early, to be finished for Fallback::revoked if it has nothing.
  void wake() { engine_.wake(); }

  unsigned capacity() const { return capacity_; }
  bell::Ring& ring() { return bell_.ring(); }
  int descriptor() const { return engine_.descriptor(); }  // ours; -1 while there is none
  const pollfd* shadow() const { return shadow_; }  // the array as it was taken by the last sync()
  unsigned registrations() const { return watched_; }
  unsigned direct() const { return direct_.size(); }
  unsigned spent_on_watching() const { return spent_on_watching_; }  // system calls, in the last sync()

 private:
  // Where a descriptor stands in the array: a list through next_, in Interest::first as position + 1. A watched
  // descriptor that stands nowhere any more (an orphan) is kept for a while: it often comes back.

  // Following the array: array_sync.cpp.
  bool scan(const pollfd* fds, unsigned count);
  void clear(pollfd* fds, unsigned count) const;
  bool changed_wholesale(const pollfd* fds, unsigned count) const;
  bool follow(const pollfd* fds, unsigned count, stats::Fallback& reason);
  bool apply(const pollfd* fds, unsigned count, stats::Fallback& reason);
  bool link(unsigned position, stats::Fallback& reason);
  bool unlink(unsigned position);
  void look_for_changed_events(Interest& interest);
  void drop(Interest* interest);
  void drop_emptied();

  // Who is looked at where: array_places.cpp.
  short events_of(const Interest& interest) const;
  bool come_in(int fd, unsigned position, stats::Fallback& reason);
  void make_direct(Interest& interest, uint32_t last_ready);
  void leave_direct(Interest& interest);
  bool watch(Interest& interest, stats::Fallback& reason);
  bool unwatch(Interest& interest);
  void watch_what_is_quiet();
  bool is_refused() const;
  void learn(const pollfd* reported, int count);
  void follow_closes();
  bool start_over();
  void release_holds();
  void close_engine();

  // Waiting: array_wait.cpp.
  int64_t period() const;
  bool is_due(int64_t now) const;
  int64_t rest_of_period(int64_t now) const;
  void verified_at(int64_t now);
  bool looks_first();
  bool has_lost_engine() const;
  unsigned list_size();
  int harvest(bool may_ring);
  int gather();
  bool conclude(int found, pollfd* fds, unsigned count, const sigset_t* mask, Answer& answer);
  bool ask_engine_first(pollfd* fds, unsigned count, const sigset_t* mask, bool only_engine, Answer& answer);
  Answer sleep(pollfd* fds, unsigned count, const wait::Deadline& deadline, const sigset_t* mask,
               wait::SignalGate& gate);
  bool verify(pollfd* fds, unsigned count, int64_t begin, const sigset_t* mask, Answer& answer);
  void compare_with_kernel(const pollfd* fds, unsigned count);
  Answer taken(int found, pollfd* fds, unsigned count);
  Answer nothing(pollfd* fds, unsigned count, const wait::Deadline& deadline);
  Answer by_own_look(pollfd* fds, unsigned count);
  int scatter(pollfd* fds, unsigned count, int reported);
  template <typename Write>
  void for_each_result(pollfd* fds, int reported, Write write);

  static constexpr unsigned kMaxOrphans = 64;

  std::atomic<uintptr_t>* holder_ = nullptr;
  engine::EpollEngine engine_;
  wait::WaitSet set_;
  DirectList direct_;
  EngineBell bell_;
  std::atomic<void*> block_{nullptr};
  size_t block_bytes_ = 0;
  pollfd* shadow_ = nullptr;     // [capacity_]
  uint32_t* next_ = nullptr;     // [capacity_] position + 1 of the next entry with the same descriptor, 0: none
  uint8_t* blocks_ = nullptr;    // [blocks_of(capacity_)] what the last scan found in the program's array (compare.hpp)
  unsigned capacity_ = 0;
  unsigned ring_slots_ = 0;
  unsigned count_ = 0;           // entries of the shadow
  unsigned watched_ = 0;         // registrations, those of orphans included
  unsigned orphans_ = 0;
  unsigned spent_on_watching_ = 0;
  unsigned sweep_ = 0;           // where watch_what_is_quiet() goes on in the direct list
  unsigned refused_ = 0;         // how many more could not be watched than could, lately
  uint32_t calls_ = 0;           // of sync()
  uint32_t wholesale_at_ = 0;    // the call in which an array that had changed wholesale was followed last
  uint32_t changes_seen_ = 0;    // process::held_fd_changes, when the registrations were last looked at
  int64_t verified_ns_ = 0;
  int64_t verification_cost_ns_ = 0;
  Closed closed_ = Closed::is_an_entrys;
  stats::Fallback refusal_ = {};  // why the last one could not
  uint8_t watched_reports_ = 0;  // how often, lately, it was something watched that was ready
  uint8_t sleepy_ = 0;           // how often, lately, nothing was ready at first
  uint8_t long_sleeps_ = 0;      // how many waits in a row slept for a period
  bool disconnected_ = false;    // no engine and no holds: only the memory is left
  bool stale_ = false;           // something did not match: start over at the next call
};

}  // namespace kev::mirror
