// The epoll sets of the program that have a bell in this thread, and whether they are worth it.
//
// A set gets one when the thread's calls with timeout 0 mostly find nothing in it, and loses it when the calls that the
// bell has spared are fewer than those that it has cost. The set stays the kernel's, and the only truth; what is known of
// it is that it is empty (silence.hpp), by these steps:
//
//   learn()     the program's own call found nothing, often enough: the number is held, the bell is armed
//   learn()     ... and found nothing after that: the number is still an epoll set
//   is_empty()  the ring has no news, the kernel says that the set is empty, and is so from now on (ring.hpp)
//
// Several threads may ask the same set, each by a bell of its own. What would make the last step false: an event that
// another thread's epoll_wait() has in its hands just now; poll() on the set waits for it, as epoll_wait() need not.
//
// One thread; the record is entered (record/thread_record.hpp).
#pragma once

#include "bell/silence.hpp"
#include "bell/spin.hpp"
#include "bell/worth.hpp"

namespace kev::bell {

class ProgramSets {
 public:
  // Before the program's own call on a set that has a bell: whether there is nothing. System calls: at most two.
  bool is_empty(int epfd, const void* events, int max);

  // After that call, with its result (a count, or -1).
  void learn(int epfd, const void* events, int max, int result);

  // Watches the bell of `epfd` until it rings, or until spin_ns have passed, or `until` (CLOCK_MONOTONIC), or there is a
  // request for cancellation. Whether something may be there. Signals are blocked.
  bool spin(int epfd, int64_t until_ns);

  // Takes the bell of `epfd` back, if it has one.
  void drop(int epfd);
  // Takes all bells back. The rings stay, for the next.
  void drop_all();
  // In a forked child: the bells are not there, and nothing is held.
  void forget();

  template <typename Visit>
  void for_each_ring(Visit visit) {
    for (Set& set : sets_) visit(set.ring);
  }

 private:
  struct Set {
    Ring ring;
    int epfd = -1;
    unsigned bell = 0;
    uint32_t generation = 0;
    Worth worth;
    Spin spin;
    int last_epfd = -1;  // whose worth it is: also without a bell
  };

  Set& at(int epfd) { return sets_[static_cast<unsigned>(epfd) % kSets]; }
  static bool is_same_number(const Set& set);
  bool refresh(Set& set);
  void arm(Set& set, int epfd);
  void drop(Set& set);
  void charge(Set& set, int calls);

  Set sets_[kSets];
};

}  // namespace kev::bell
