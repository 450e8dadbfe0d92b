// A queue's beginning and end; and what is known of all queues: that one was destroyed, and who claims what.
//
// The memory of a queue's head is kept when it is destroyed, for the next one to be made: so a call on a destroyed
// queue finds out, until then.
#include <cstdlib>
#include <new>
#include <pthread.h>
#include <sys/mman.h>

#include "os/file.hpp"
#include "os/memory.hpp"
#include "queue/create.hpp"

namespace kev::queue {

namespace {

constexpr unsigned long kPage = 4096;

Lock all_lock;
Queue* all = nullptr;
Queue* destroyed = nullptr;
bool has_key = false;
pthread_key_t key;

// In a forked child: a thread that is not here may have held the lock, in the middle of a change.
void begin_anew() {
  all_lock.unlock();
  all = destroyed = nullptr;
  Watcher::end_spare_ring(/*forgotten=*/true);
}

// The calling thread ends: others take what it had claimed.
void thread_ends(void* mark) {
  all_lock.lock();
  for (Queue* queue = all; queue != nullptr; queue = queue->next) {
    if (check(queue) != 0) continue;
    bool gave = false;
    {
      Locked locked(queue->lock);
      if (queue->watcher.is_ring_mine()) {
        give_ring_up(*queue, -EOPNOTSUPP);
        gave = true;
      }
      for (uint32_t i = 0; queue->claims_standing != 0 && i < queue->ring.capacity(); ++i) {
        ClaimRecord& record = queue->claims[i];
        if (record.count == 0 || record.returned || record.owner != mark) continue;
        unclaim(*queue, record, 0);
        gave = true;
      }
      settle_outside(*queue);
    }
    if (gave) announce(*queue, false);
  }
  all_lock.unlock();
  Watcher::end_spare_ring(/*forgotten=*/false);
}

void free_parts(Queue& queue, bool inherited = false) {
  queue.watcher.close(inherited);
  for (int* fd : {&queue.alarm, &queue.clock_notice, &queue.signals, &queue.outside, &queue.outside_bell}) {
    if (*fd >= 0) os::close(*fd);
    *fd = -1;
  }
  queue.table.close();
  std::free(queue.slots);
  std::free(queue.events);
  std::free(queue.claims);
  std::free(queue.details);
  if (queue.alive != nullptr) os::munmap(queue.alive, kPage);
}

int make_parts(Queue& queue, uint32_t capacity) {
  void* page = os::map_private(kPage);
  if (page == nullptr) return -ENOMEM;
  queue.alive = static_cast<std::atomic<uint32_t>*>(page);
  int error = os::madvise(page, kPage, MADV_WIPEONFORK);
  if (error < 0) return error;
  queue.alive->store(1, std::memory_order_relaxed);
  void* slots = std::calloc(capacity, sizeof(Ring::Slot));
  queue.slots = static_cast<Ring::Slot*>(slots);
  queue.events = static_cast<kev_event*>(std::aligned_alloc(64, capacity * sizeof(kev_event)));
  queue.claims = static_cast<ClaimRecord*>(std::calloc(capacity, sizeof(ClaimRecord)));
  if (queue.slots == nullptr || queue.events == nullptr || queue.claims == nullptr) return -ENOMEM;
  for (uint32_t i = 0; i < capacity; ++i) ::new (queue.slots + i) Ring::Slot;
  for (uint32_t i = 0; i < capacity; ++i) queue.events[i] = {};
  queue.ring.attach(queue.slots, capacity);
  error = queue.table.open();
  if (error == 0) error = queue.watcher.open((queue.flags & KEV_Q_SINGLE) != 0);
  if (error == 0) queue.bell.attach(queue.watcher.bell());
  return error;
}

void forget(Queue& queue) {
  for (Queue** link = &all; *link != nullptr; link = &(*link)->next)
    if (*link == &queue) {
      *link = queue.next;
      return;
    }
}

}  // namespace

const void* this_thread() {
  if (thread_mark == 0) {
    thread_mark = 1;
    if (has_key) pthread_setspecific(key, &thread_mark);
  }
  return &thread_mark;
}

int create(Queue** out, uint32_t flags, uint32_t ring_entries) {
  all_lock.lock();
  if (!has_key) {
    has_key = pthread_key_create(&key, thread_ends) == 0;
    pthread_atfork(nullptr, nullptr, begin_anew);
  }
  Queue* queue = destroyed;
  if (queue != nullptr) destroyed = queue->next;
  all_lock.unlock();
  void* memory = queue;
  if (memory == nullptr) memory = std::aligned_alloc(64, (sizeof(Queue) + 63) / 64 * 64);
  if (memory == nullptr) return -ENOMEM;
  queue = ::new (memory) Queue;
  queue->flags = flags;
  // Made when there is something for it. Without a destructor for its thread's end there is none.
  if ((flags & KEV_Q_URING) != 0) queue->ring_reason = has_key ? -EAGAIN : -EOPNOTSUPP;
  int error = make_parts(*queue, ring_entries);
  if (error < 0) free_parts(*queue);
  all_lock.lock();
  if (error < 0) {
    queue->next = destroyed;
    destroyed = queue;
  } else {
    queue->next = all;
    all = queue;
    queue->magic.store(Queue::kMagic, std::memory_order_release);
    *out = queue;
  }
  all_lock.unlock();
  return error;
}

int destroy(Queue& queue, bool inherited) {
  if (!inherited) {
    {
      Locked locked(queue.lock);
      if (queue.bell.sleepers() != 0 || queue.claims_standing != 0) return -EBUSY;
      queue.magic.store(0, std::memory_order_relaxed);
    }
    queue.futexes.stop();
    all_lock.lock();
    forget(queue);
    free_parts(queue);
  } else {
    // Locks may be held by threads that are not in this process, and the list may be half-changed: what it leads to
    // stays, but the queue is no queue any more.
    queue.magic.store(0, std::memory_order_relaxed);
    free_parts(queue, inherited);
    return 0;
  }
  queue.next = destroyed;
  destroyed = &queue;
  all_lock.unlock();
  return 0;
}

}  // namespace kev::queue
