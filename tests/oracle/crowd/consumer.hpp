// A consumer: a thread that waits and reads, can be ended at any wait, and is continued by another thread.
#pragma once

#include <atomic>
#include <csetjmp>
#include <csignal>
#include <poll.h>
#include <pthread.h>

#include "random.hpp"
#include "round.hpp"

namespace crowd {

constexpr unsigned kEntries = 64;
constexpr unsigned kArrays = 2;

struct Array {
  pollfd entries[kEntries];
  unsigned slots[kEntries];
  unsigned count;
  bool selects;  // is passed as sets, mostly
};

enum class Role : uint8_t { arrays, set, blocking };

// What the watchdog looks at: the wait that goes on.
struct Watched {
  std::atomic<int64_t> since_ns;  // 0: none
  std::atomic<unsigned> count;
  std::atomic<unsigned> slots[kEntries];
  std::atomic<uint32_t> versions[kEntries];
  std::atomic<int> numbers[kEntries];
  std::atomic<short> events[kEntries];
  const char* call;
};

struct Consumer {
  Random random;
  Role role;
  unsigned index;
  pthread_t thread;
  std::atomic<bool> running;
  bool in_child;

  unsigned slots[kSlots];  // its own and the shared
  unsigned slot_count;
  Array arrays[kArrays];
  int set;                 // epoll
  Watched watched;

  Slot* reading;           // begun, not done: the thread was ended there
  Channel* parked;         // what stood at a slot's number before, still to be read
  int parked_fd;
  sigjmp_buf jump;
  volatile sig_atomic_t may_jump, shut, inside;  // signals are blocked; but for a call that lets them in
  volatile sig_atomic_t handled;
  Array* volatile waiting_with;
};

extern thread_local Consumer* self;

void start(Consumer& consumer);
void* consume_blocking(Consumer& consumer);

// One wait with an array. True: the stop slot was reported.
bool wait_array(Consumer& consumer, Array& array, bool all);
// One wait with the set. True: as above.
bool wait_set(Consumer& consumer);

// One read of a slot's number, at which the thread may end. Returns the read's result; `begun` is how many had begun before.
long read_slot(Consumer& consumer, Slot& slot, int number, Channel& channel, bool may_end,
               uint32_t& begun);

// Begins to keep the array; changes it a little.
void make_array(Consumer& consumer, Array& array, bool all);
void edit_array(Consumer& consumer, Array& array);
// Another file for one of its own slots.
void change_own(Consumer& consumer);
// What it parked then is read, and gone.
void read_parked(Consumer& consumer);
// A child goes on for a while, with the same arrays.
void fork_once(Consumer& consumer);

void install_handlers();

}  // namespace crowd
