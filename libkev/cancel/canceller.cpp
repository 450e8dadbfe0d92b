// The canceller's side of the protocol in request.hpp.
#include "cancel/canceller.hpp"

#include <cerrno>

#include "cancel/handler.hpp"
#include "cancel/libc.hpp"
#include "cancel/request.hpp"
#include "os/pid.hpp"
#include "os/thread.hpp"
#include "process/quiet.hpp"

namespace kev::cancel {

constinit Libc libc = {};

namespace {

// Which handler stands: libc puts its own there in its first pthread_cancel() (glibc 2.34) or when it starts.
enum class Setup : int { none, at_work, done };
constinit std::atomic<Setup> setup{Setup::none};
constinit std::atomic<bool> has_barrier{false};
constinit std::atomic<bool> has_handler{false};

// libc's pthread_cancel(). The first call of the process is made by one thread, which then puts our handler in front of
// what libc has set up: nobody is signalled before. The others wait, unless that takes long (it may want the loader's lock).
int mark(pthread_t thread) {
  constexpr int kPatience = 20'000;
  Setup expected = Setup::none;
  for (int round = 0; !setup.compare_exchange_strong(expected, Setup::at_work, std::memory_order_acquire); ++round) {
    if (expected == Setup::done || round == kPatience) return libc.cancel(thread);
    expected = Setup::none;
    if (process::is_quiet())
      arch::relax();
    else
      os::pause_ns(50'000);
  }
  int error = libc.cancel(thread);
  has_handler.store(install_handler(), std::memory_order_release);
  setup.store(has_handler.load(std::memory_order_relaxed) ? Setup::done : Setup::none, std::memory_order_release);
  return error;
}

// Whether what the other threads wrote before they last looked at their requests can be read now.
bool synchronize() {
  if (process::is_quiet()) return false;
  if (os::barrier_in_all_threads()) return true;
  before_first_thread();
  return os::barrier_in_all_threads();
}

// The kernel's number of `thread`, which stands in the clock that is its own; 0 if it has ended.
int thread_number(pthread_t thread) {
  clockid_t clock;
  if (libc.getcpuclockid == nullptr || libc.getcpuclockid(thread, &clock) != 0) return 0;
  return static_cast<int>(~(clock >> 3));
}

// A signal whose queue is full is tried again for a while: the mark is made, and nobody else wakes the thread.
int wake(int number) {
  constexpr int kTries = 100;
  for (int tries = 0;; ++tries) {
    int error = os::signal_thread(os::getpid(), number, kSignal);
    if (error != -EAGAIN) return 0;
    if (tries == kTries || process::is_quiet()) return EAGAIN;
    os::pause_ns(1'000'000);
  }
}

int cancel_self(pthread_t thread) {
  self().requests.fetch_add(1, std::memory_order_relaxed);
  int error = mark(thread);
  if (!self().disabled.load(std::memory_order_relaxed)) look_again_below();
  return error;
}

int cancel_other(pthread_t thread) {
  Slot& slot = Slot::claim(thread);
  Record& target = record_of(thread);
  target.requests.fetch_add(1, std::memory_order_seq_cst);
  bool may_wait = !synchronize() || target.inside.load(std::memory_order_relaxed) != 0;
  bool is_deaf = target.disabled.load(std::memory_order_relaxed) || target.asynchronous.load(std::memory_order_relaxed);
  int number = thread_number(thread);
  int error = mark(thread);
  // From here on the target may be gone.
  bool signalled = error == 0 && number > 0 && ((may_wait && !is_deaf) || slot.was_given_up());
  if (signalled) error = wake(number);
  if (slot.release() && !signalled && error == 0 && number > 0) error = wake(number);
  return error;
}

}  // namespace

int cancel(pthread_t thread) {
  // A canceller that is cancelled half-way would leave its slot behind.
  int type = PTHREAD_CANCEL_DEFERRED;
  bool asynchronous = self().asynchronous.load(std::memory_order_relaxed);
  if (asynchronous) libc.setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
  int error = thread == pthread_self() ? cancel_self(thread) : cancel_other(thread);
  if (asynchronous) libc.setcanceltype(type, nullptr);
  return error;
}

void state_changed(int state) {
  Record& self = cancel::self();
  bool disabled = state == PTHREAD_CANCEL_DISABLE;
  self.disabled.store(disabled, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  // A handler that enables what it interrupted: the call below must look again.
  if (!disabled && self.requests.load(std::memory_order_relaxed) != 0 &&
      self.inside.load(std::memory_order_relaxed) != 0) {
    settle();
    if (has_handler.load(std::memory_order_acquire)) look_again_below();
  }
}

void type_changed(int type) {
  self().asynchronous.store(type == PTHREAD_CANCEL_ASYNCHRONOUS, std::memory_order_relaxed);
}

void before_first_thread() {
  if (process::is_quiet() || has_barrier.exchange(true, std::memory_order_relaxed)) return;
  has_barrier.store(os::register_barrier(), std::memory_order_relaxed);
}

void after_fork() {
  Slot::forget_all();
  if (setup.load(std::memory_order_relaxed) == Setup::at_work) setup.store(Setup::none, std::memory_order_relaxed);
}

}  // namespace kev::cancel
