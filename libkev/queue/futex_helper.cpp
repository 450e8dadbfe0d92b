// The thread that waits for futexes; the contract stands in futex_helper.hpp.
#include "queue/futex_helper.hpp"

#include <cerrno>
#include <csignal>
#include <sys/syscall.h>

#include "queue/queue.hpp"

namespace kev::queue {

namespace {

constexpr long kWaitv = 449;  // futex_waitv on every architecture
constexpr uint32_t kSize32 = 2, kPrivate = 128;
constexpr int kWait = 0, kWake = 1;

struct Waiter {  // as the kernel's struct futex_waitv
  uint64_t value;
  uint64_t address;
  uint32_t flags;
  uint32_t reserved;
};

long futex(const void* word, int operation, uint32_t value, const timespec* timeout) {
  return arch::syscall(SYS_futex, reinterpret_cast<long>(word), operation, value, reinterpret_cast<long>(timeout));
}

// The program's word, which is mapped, whatever AddressSanitizer thinks of the frame that it stood in.
[[gnu::no_sanitize_address]] uint32_t value_at(const uint32_t* word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }

}  // namespace

bool FutexHelper::is_supported() { return arch::syscall(kWaitv, 0, 0, 0, 0, 0) != -ENOSYS; }

int read_futex(const uint32_t* word, uint32_t expected, bool shared, uint32_t& value) {
  // The kernel looks first: what is not mapped is its error and not our fault.
  timespec at_once = {0, 0};
  long result = futex(word, kWait | (shared ? 0 : kPrivate), expected, &at_once);
  if (result == -EFAULT) return -EFAULT;
  value = result == -EAGAIN ? __atomic_load_n(word, __ATOMIC_SEQ_CST) : expected;
  return 0;
}

void wake_futex(const uint32_t* word, bool shared) { futex(word, kWake | (shared ? 0 : kPrivate), 1, nullptr); }

void FutexHelper::changed() {
  control_.fetch_add(1, std::memory_order_seq_cst);
  futex(&control_, kWake | kPrivate, 1, nullptr);
}

int FutexHelper::add(Queue& queue, Entry& entry) {
  if (count_ == kMost) return -ENOSPC;
  if (!running_) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread_, nullptr, run, &queue);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (error != 0) return -EAGAIN;
    running_ = true;
  }
  entry.futex_next = first_;
  first_ = entry.index;
  ++count_;
  changed();
  return 0;
}

void FutexHelper::remove(Queue& queue, Entry& entry) {
  uint32_t before = kNone;
  for (uint32_t index = first_; index != kNone; before = index, index = queue.table.slot(index)->futex_next) {
    if (index != entry.index) continue;
    (before == kNone ? first_ : queue.table.slot(before)->futex_next) = entry.futex_next;
    --count_;
    changed();
    return;
  }
}

void FutexHelper::stop() {
  if (!running_) return;
  ending_ = true;
  changed();
  pthread_join(thread_, nullptr);
  running_ = false;
  ending_ = false;
}

void* FutexHelper::run(void* queue) {
  static_cast<Queue*>(queue)->futexes.loop(*static_cast<Queue*>(queue));
  return nullptr;
}

void FutexHelper::loop(Queue& queue) {
  for (;;) {
    Waiter waiters[kMost + 1];
    Reference references[kMost];
    uint32_t count = 0;
    uint32_t control = control_.load(std::memory_order_seq_cst);
    waiters[0] = {control, reinterpret_cast<uint64_t>(&control_), kSize32 | kPrivate, 0};
    {
      Locked locked(queue.lock);
      if (ending_) return;
      for (uint32_t index = first_; index != kNone; index = queue.table.slot(index)->futex_next) {
        Entry& entry = *queue.table.slot(index);
        references[count++] = entry.reference();
        waiters[count] = {entry.value, entry.ident.load(std::memory_order_relaxed),
                          kSize32 | (entry.has(KEV_SHARED) ? 0 : kPrivate), 0};
      }
    }
    long woken = arch::syscall(kWaitv, reinterpret_cast<long>(waiters), count + 1, 0, 0, 0);
    bool all;
    {
      Locked locked(queue.lock);
      for (uint32_t i = 0; i < count; ++i) {
        Entry* entry = queue.table.at(references[i]);
        const Waiter& waiter = waiters[i + 1];
        const auto* word = reinterpret_cast<const uint32_t*>(waiter.address);
        // Those that were deleted, disabled or given another value meanwhile are not what was waited for.
        if (entry == nullptr || !entry->enabled.load(std::memory_order_relaxed) || entry->value != waiter.value) {
          // Of words that are woken together the kernel names one.
          if (woken >= 0) wake_futex(word, (waiter.flags & kPrivate) == 0);
          continue;
        }
        uint32_t seen = entry->value;
        int error = 0;
        if (woken == -EFAULT)
          error = read_futex(word, entry->value, entry->has(KEV_SHARED), seen);
        else
          seen = value_at(word);
        if (woken != i + 1 && error == 0 && seen == entry->value) continue;
        remove(queue, *entry);
        report_futex(queue, *entry, woken == i + 1 ? KEV_WOKEN : KEV_CHANGED, seen);
      }
      all = queue.wake_all;
      queue.wake_all = false;
      settle_outside(queue);
    }
    announce(queue, all);
  }
}

}  // namespace kev::queue
