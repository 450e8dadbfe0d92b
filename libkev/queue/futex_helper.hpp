// A thread of the library's own that waits for futexes.
//
// It sleeps in futex_waitv(2) on up to 127 words and a control word, which moves when the words change. It takes no
// signals, is made with the first registration and ends with the queue. After each wake-up it waits again with the same
// values; that is what a futex's users allow for anyway (a wake-up may be spurious). Its state is under the queue's
// lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <pthread.h>

struct kev_queue;

namespace kev::queue {

struct Entry;

class FutexHelper {
 public:
  static constexpr uint32_t kMost = 127;

  static bool is_supported();

  // Waits for the entry's word to change or be woken; its fd-like state is the entry's. 0, -ENOSPC, -EAGAIN.
  int add(kev_queue& queue, Entry& entry);
  void remove(kev_queue& queue, Entry& entry);

  bool is_running() const { return running_; }
  // Ends the thread. Without the queue's lock.
  void stop();

 private:
  static void* run(void* queue);
  void loop(kev_queue& queue);
  void changed();

  std::atomic<uint32_t> control_{0};
  pthread_t thread_ = {};
  bool running_ = false;
  std::atomic<bool> ending_{false};  // written without the lock
  uint32_t first_ = ~0u;
  uint32_t count_ = 0;
};

// The word's value, or -EFAULT; `value` is set.
int read_futex(const uint32_t* word, uint32_t expected, bool shared, uint32_t& value);
void wake_futex(const uint32_t* word, bool shared);

}  // namespace kev::queue
