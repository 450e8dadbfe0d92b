// The part of epoll_wait() that belongs to the thread's record.
#include "call/epoll.hpp"

#include "bell/nested.hpp"
#include "cancel/request.hpp"
#include "cancel/sleep.hpp"
#include "record/registry.hpp"
#include "record/thread_record.hpp"
#include "wait/signal_gate.hpp"

namespace kev::call {

namespace {

// Calls `visit` with the thread's record if it can be entered now.
template <typename Visit>
void in_record(Visit visit) {
  if (process::in_vfork_child()) return;
  record::check_generation();
  stats::Fallback reason;
  uint64_t cookie;
  record::ThreadRecord* record = record::enter(reason, cookie);
  if (record == nullptr) return;
  // A filter that came in between must not meet a system call of ours.
  if (!record::is_stopped()) visit(*record);
  record::leave(record);
}

}  // namespace

bool epoll_finds_nothing(int epfd, const void* events, int max) {
  if (bell::says_nothing(epfd, events, max)) return true;
  if (!bell::is_armed(epfd) || cancel::self().requests.load(std::memory_order_relaxed) != 0) return false;
  bool is_empty = false;
  in_record([&](record::ThreadRecord& record) { is_empty = record.program_sets.is_empty(epfd, events, max); });
  return is_empty;
}

int epoll_spin_and_wait(int epfd, epoll_event* events, int max, const wait::Deadline& deadline) {
  wait::SignalGate gate;
  in_record([&](record::ThreadRecord& record) {
    gate.close();
    int64_t left = deadline.left();
    int64_t until = left == INT64_MAX ? left : os::clock_ns(CLOCK_MONOTONIC) + left;
    record.program_sets.spin(epfd, until);
  });
  unsigned seen = 0;
  int result;
  while ((result = cancel::sleep(epfd, events, max, deadline, gate.mask(nullptr), seen)) == cancel::kCancelled) {
    // The program's mask stands while a request is looked at.
    gate.open();
    seen = cancel::settle();
    cancel::check();
  }
  gate.open();
  // A wait that was interrupted has taken nothing.
  if (result == -EINTR) cancel::check();
  return result;
}

void epoll_learn(int epfd, const void* events, int max, int result) {
  in_record([&](record::ThreadRecord& record) { record.program_sets.learn(epfd, events, max, result); });
}

void epoll_sets_went(unsigned first, unsigned last) {
  for (const bell::Silence& silence : bell::silences) {
    int epfd = silence.epfd;
    if (!silence.is_armed || static_cast<unsigned>(epfd) < first || static_cast<unsigned>(epfd) > last) continue;
    in_record([&](record::ThreadRecord& record) { record.program_sets.drop(epfd); });
  }
}

void epoll_stands_in_a_set(int fd) {
  if (process::in_vfork_child() || !bell::nested.add(fd)) return;
  if (bell::is_armed(fd))
    epoll_sets_went(static_cast<unsigned>(fd), static_cast<unsigned>(fd));
  else
    process::fd_changed(fd);  // another thread may have one for it
}

void epoll_was_made(int fd) { bell::nested.remove(fd); }

}  // namespace kev::call
