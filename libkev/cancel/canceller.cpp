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

// Whether our handler stands in front of libc's, which comes with libc's first pthread_cancel() (glibc 2.34) or when
// the program starts.
enum class Setup : int { none, at_work, done };
constinit std::atomic<Setup> setup{Setup::none};
constinit std::atomic<bool> has_barrier{false};

// libc's pthread_cancel(). Until our handler stands one thread at a time makes it, so that libc does not put its own
// over it. The others wait, unless that takes long (libc may want the loader's lock).
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
  setup.store(stand_in_front() ? Setup::done : Setup::none, std::memory_order_release);
  return error;
}

// Whether our handler stands now: libc may put its own there at other times (POSIX timers do in new versions).
bool has_handler() {
  bool done = setup.load(std::memory_order_acquire) == Setup::done;
  return process::is_quiet() && done ? true : stand_in_front();
}

// After this, what the other threads stored before they last looked at their requests can be read.
void synchronize() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!process::is_quiet()) {
    if (os::barrier_in_all_threads()) return;
    before_first_thread();
    if (os::barrier_in_all_threads()) return;
  }
  for (int i = 0; i < 2000; ++i) arch::relax();
}

// Sends the signal until it is one that met our handler. A queue that is full is tried again for a while: the mark is
// made, and nobody else wakes the thread. 0, also if the thread has ended, or the errno that pthread_cancel() returns.
int wake(int number) {
  constexpr int kTries = 100;
  for (int tries = 0; has_handler(); ++tries) {
    int error = os::signal_thread(os::getpid(), number, kSignal);
    if (error < 0 && error != -EAGAIN) return error == -ESRCH ? 0 : -error;
    if (error == 0 && (process::is_quiet() || is_in_front())) return 0;
    if (tries == kTries || process::is_quiet()) return EAGAIN;
    if (error == -EAGAIN) os::pause_ns(1'000'000);
  }
  return 0;
}

int cancel_self(pthread_t thread, bool enabled) {
  self().requests.fetch_add(1, std::memory_order_relaxed);
  int error = mark(thread);
  if (enabled) look_again_below();
  return error;
}

int cancel_other(pthread_t thread) {
  Record& target = record_of(thread);
  // libc, too, sends nothing to a thread that is marked already: it is in its clean-up handlers, perhaps.
  if (target.told.exchange(true, std::memory_order_seq_cst)) return mark(thread);
  Slot& slot = Slot::claim(thread);
  target.requests.fetch_add(1, std::memory_order_seq_cst);
  synchronize();
  bool waits = target.inside.load(std::memory_order_seq_cst) != 0 && !target.disabled.load(std::memory_order_seq_cst);
  int number = thread_number(thread);
  int error = mark(thread);
  // From here on the target may be gone.
  if (error != 0 || number <= 0) {
    slot.release();
    return error;
  }
  if (!slot.must_signal(waits)) return 0;
  error = wake(number);
  // It waits in the stub for the slot: it may be told by whoever tries next.
  if (error != 0 && !slot.was_given_up()) target.told.store(false, std::memory_order_seq_cst);
  slot.release();
  return error;
}

}  // namespace

int cancel(pthread_t thread) {
  // A canceller that is cancelled half-way, by the asynchronous type or in a handler, would leave its slot behind: it
  // is afterwards. libc looks at the thread's own requests when the state is put back.
  Record& self = cancel::self();
  bool enabled = !self.disabled.load(std::memory_order_relaxed);
  bool in_handler = self.cancels;
  self.cancels = true;
  int state = PTHREAD_CANCEL_ENABLE;
  int type = PTHREAD_CANCEL_DEFERRED;
  libc.setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
  libc.setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
  int error = thread == pthread_self() ? cancel_self(thread, enabled) : cancel_other(thread);
  // In this order: where the state ends the thread, libc forgets to say that it was cancelled.
  libc.setcancelstate(state, nullptr);
  libc.setcanceltype(type, nullptr);
  self.cancels = in_handler;
  if (self.passed_point && !in_handler) {
    self.passed_point = false;
    check();
  }
  return error;
}

void state_changes(int state) {
  if (state != PTHREAD_CANCEL_ENABLE) return;
  Record& self = cancel::self();
  self.disabled.store(false, std::memory_order_seq_cst);
  if (self.requests.load(std::memory_order_seq_cst) != 0) Slot::let_go();
}

void state_changed(int state) {
  Record& self = cancel::self();
  bool disabled = state == PTHREAD_CANCEL_DISABLE;
  self.disabled.store(disabled, std::memory_order_seq_cst);
  if (self.requests.load(std::memory_order_seq_cst) == 0) return;
  if (disabled) {
    Slot::hold();
    // A signal that was sent arrives here, and not in the next call.
    if (!process::is_quiet()) os::enter_kernel();
    return;
  }
  // Again: a handler that came in between may have said otherwise.
  Slot::let_go();
  // Whoever did not signal a thread that had it disabled has left it to us to look at the mark: in a call that is just
  // being entered, in the next, and in the one that a handler interrupted, which is what this may be.
  self.requests.fetch_add(1, std::memory_order_seq_cst);
  if (self.inside.load(std::memory_order_relaxed) == 0) return;
  settle();
  if (!Slot::signal_will_come()) look_again_below();
}

void before_first_thread() {
  if (process::is_quiet() || has_barrier.exchange(true, std::memory_order_relaxed)) return;
  has_barrier.store(os::register_barrier(), std::memory_order_relaxed);
  before_filter();
}

void before_filter() {
  // glibc before 2.34 has its handler from the start, and makes no system call for it later.
  if (setup.load(std::memory_order_relaxed) == Setup::none && stand_in_front())
    setup.store(Setup::done, std::memory_order_release);
}

void after_fork() {
  Slot::forget_all();
  self().raised.store(false, std::memory_order_relaxed);
  self().told.store(false, std::memory_order_relaxed);
  if (setup.load(std::memory_order_relaxed) == Setup::at_work) setup.store(Setup::none, std::memory_order_relaxed);
}

}  // namespace kev::cancel
