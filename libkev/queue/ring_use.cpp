// Which descriptors a ring of io_uring polls, and how they come there and back; docs/queue.md has the reasons.
//
// A descriptor is added to the watched set, which alone knows what cannot be watched, and reports from there. It goes to
// the ring after some reports: taken from the set first, which proves that the number still means the registered file,
// then polled. The poll tells what stands, too. That is dropped: the user is yet to be told of what the set has just
// reported, and finds the rest when he looks. What comes after that is told as a change.
#include <sys/stat.h>

#include "os/file.hpp"
#include "queue/queue.hpp"

namespace kev::queue {

namespace {

constexpr int kAtOnce = 32;  // descriptors that go to the ring together

struct Moved {
  uint64_t token;
  uint32_t reported;
};

bool is_socket(int fd) {
  struct stat status;
  return ::fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

// Counts its reports, until it is to go.
bool is_for_ring(const Queue& queue, Entry& entry) {
  if (entry.polled || entry.reports == Entry::kStays) return false;
  constexpr uint32_t kFlags = KEV_EDGE | KEV_ONESHOT | KEV_DISPATCH;
  // Wakers of a socket say KEV_PRI when they mean KEV_IN.
  if (entry.source.load(std::memory_order_relaxed) != KEV_SOURCE_FD || (entry.what & KEV_PRI) != 0 ||
      (entry.flags.load(std::memory_order_relaxed) & kFlags) != KEV_EDGE) {
    entry.reports = Entry::kStays;
    return false;
  }
  if (++entry.reports < queue.ring_after) return false;
  if (queue.ring_takes_all || is_socket(entry.fd())) return true;
  entry.reports = Entry::kStays;
  return false;
}

bool open_ring(Queue& queue) {
  if (queue.watcher.uses_ring()) return true;
  if (queue.ring_reason != -EAGAIN) return false;
  queue.ring_reason = queue.watcher.open_ring();
  if (queue.ring_reason < 0) return false;
  this_thread();  // its end gives the ring up
  return true;
}

// What came with the moves: what of it is news is published.
void publish_news(Queue& queue, const Moved* moved, int count, epoll_event* events, int taken) {
  int kept = 0;
  for (int i = 0; i < taken; ++i) {
    bool is_known = false;
    for (int k = 0; k < count && !is_known; ++k)
      is_known = moved[k].token == events[i].data.u64 && (events[i].events & ~moved[k].reported) == 0;
    if (!is_known) events[kept++] = events[i];
  }
  process(queue, events, kept, nullptr, 0);
}

}  // namespace

void consider_ring(Queue& queue, const epoll_event* events, int count) {
  // With news in the ring, another time: they would come among those that are dropped.
  if (queue.watcher.uses_ring() && queue.watcher.ring().completions() != 0) return;
  Moved moved[kAtOnce];
  int moves = 0;
  for (int i = 0; i < count && moves < kAtOnce; ++i) {
    Reference reference = Reference::from(events[i].data.u64);
    if (reference.index == kNone) continue;
    Entry* entry = queue.table.at(reference);
    if (entry == nullptr || !entry->enabled.load(std::memory_order_relaxed) || !is_for_ring(queue, *entry)) continue;
    if (!open_ring(queue)) return;
    if (queue.watcher.disarm(entry->fd()) < 0) {
      entry->reports = Entry::kStays;
      continue;
    }
    queue.watcher.ring().poll(entry->fd(), entry->what, reference.token());
    entry->polled = true;
    moved[moves++] = {reference.token(), events[i].events};
  }
  if (moves == 0) return;
  if (!queue.watcher.ring().enter()) {
    give_ring_up(queue, -EIO);
    return;
  }
  epoll_event came[PollRing::kAtOnce];
  for (int taken; (taken = queue.watcher.take_from_ring(came, PollRing::kAtOnce)) != 0;)
    publish_news(queue, moved, moves, came, taken);
}

void back_to_set(Queue& queue, Entry& entry) {
  if (!entry.polled) return;
  entry.polled = false;
  queue.watcher.arm(entry.fd(), entry.what | EPOLLET, entry.reference().token());
}

void leave_ring(Queue& queue, Entry& entry, bool stays) {
  if (!entry.polled) return;
  if (!queue.watcher.is_ring_mine()) {
    give_ring_up(queue, -EOPNOTSUPP);
    if (!stays) queue.watcher.disarm(entry.fd());
    return;
  }
  constexpr int kTries = 1000;
  PollRing& ring = queue.watcher.ring();
  uint64_t token = entry.reference().token();
  ring.cancel(token);
  entry.polled = false;
  entry.reports = Entry::kStays;  // one that comes and goes pays more than it gains
  bool ended = false;
  for (int tries = 0; !ended && tries < kTries; ++tries) {
    if (!ring.enter()) {
      give_ring_up(queue, -EIO);
      break;
    }
    epoll_event came[PollRing::kAtOnce];
    for (int taken; (taken = queue.watcher.take_from_ring(came, PollRing::kAtOnce)) != 0;) {
      int kept = 0;
      for (int i = 0; i < taken; ++i) {
        if (came[i].data.u64 != token) came[kept++] = came[i];
        else ended |= (came[i].events & PollRing::kEnded) != 0;
      }
      process(queue, came, kept, nullptr, 0);
    }
  }
  if (stays) queue.watcher.arm(entry.fd(), EPOLLONESHOT, token);
}

void give_ring_up(Queue& queue, int reason) {
  if ((queue.flags & KEV_Q_URING) == 0) return;
  queue.ring_reason = reason;
  if (!queue.watcher.uses_ring()) return;
  queue.watcher.stop_ring();
  queue.table.for_each([&](Entry& entry) { back_to_set(queue, entry); });
  queue.more.store(true, std::memory_order_relaxed);
  queue.watcher.close_ring();
  queue.bell.notify();  // its owner, who may sleep on it, is to close it
}

}  // namespace kev::queue
