// What a thread does when it is told to look for a request, by where the signal found it:
//
//   in the stub, between the look and the result   nothing is done yet: on to the cancel path
//   elsewhere in the stub                          it is about to look, or has a result and will look
//   in a handler that interrupted a stub           the signal is raised again, blocked until that handler returns
//   anywhere else                                  it is not in a call of ours: the mark waits for its next one
//
// The C library's handler goes first: it acts in its own cancellation points and in the asynchronous type, and does
// nothing otherwise. It is not shown the signals that a thread raises for itself: it would take them for requests. Any
// system call that the signal interrupts is restarted if the kernel can.
#include "cancel/handler.hpp"

#include <arch_context.hpp>
#include <cerrno>
#include <csignal>

#include "cancel/libc.hpp"
#include "cancel/record.hpp"
#include "cancel/stub.hpp"
#include "os/pid.hpp"
#include "os/signal_action.hpp"
#include "os/thread.hpp"
#include "process/quiet.hpp"

namespace kev::cancel {

namespace {

using Handler = void (*)(int, siginfo_t*, void*);
constinit std::atomic<Handler> libc_handler{nullptr};

bool between(uintptr_t at, const char* from, const char* to) {
  return at >= reinterpret_cast<uintptr_t>(from) && at < reinterpret_cast<uintptr_t>(to);
}

// What the thread's own signals carry.
void* own_mark() { return &kev_cancel_self; }

bool is_own(const siginfo_t& info) { return info.si_code == SI_QUEUE && info.si_value.sival_ptr == own_mark(); }

// One at a time: a queue of them would fill the user's.
void raise() {
  Record& self = cancel::self();
  if (self.raised.exchange(true, std::memory_order_relaxed)) return;
  unsigned process = os::getpid();
  int thread = thread_number(pthread_self());
  // Under a seccomp filter by the call that the C library makes.
  int error = process::is_quiet() ? os::signal_thread(process, thread, kSignal)
                                  : os::queue_to_thread(process, thread, kSignal, own_mark());
  // A queue that is full is tried again for a while, as the canceller does: nobody else tells the thread.
  constexpr int kTries = 100;
  for (int tries = 0; error == -EAGAIN && tries < kTries && !process::is_quiet(); ++tries) {
    os::pause_ns(1'000'000);
    error = os::queue_to_thread(process, thread, kSignal, own_mark());
  }
  if (error < 0) self.raised.store(false, std::memory_order_relaxed);
}

// Blocked in the context that the handler returns to; let in again as that one returns.
void raise_again(ucontext_t& context) {
  // The kernel's word: the C library's sigaddset() refuses the signal.
  *reinterpret_cast<unsigned long*>(&context.uc_sigmask) |= 1ul << (kSignal - 1);
  raise();
}

// Whether the frame in the stub has been left by siglongjmp, as far as can be told: code that runs on the frame's own
// stack is below it as long as it stands, and it is not overwritten.
bool is_left(const ucontext_t& context, uintptr_t frame) {
  auto on_alternate = [&](uintptr_t at) {
    return at - reinterpret_cast<uintptr_t>(context.uc_stack.ss_sp) < context.uc_stack.ss_size;
  };
  uintptr_t at = arch::stack_pointer(context);
  if (on_alternate(at) != on_alternate(frame)) return on_alternate(frame);
  return at > frame || !arch::is_stub_frame(frame);
}

void on_signal(int signal, siginfo_t* info, void* where) {
  Record& self = cancel::self();
  if (is_own(*info)) {
    self.raised.store(false, std::memory_order_relaxed);
  } else {
    libc_handler.load(std::memory_order_relaxed)(signal, info, where);
    if (info->si_code != SI_TKILL || static_cast<unsigned>(info->si_pid) != os::getpid()) return;
    if (process::is_quiet()) self.raised.store(false, std::memory_order_relaxed);
  }
  auto& context = *static_cast<ucontext_t*>(where);
  self.arrived.store(self.requests.fetch_add(1, std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  uintptr_t at = arch::program_counter(context);
  if (between(at, kev_cp_begin, kev_cp_end)) {
    arch::set_program_counter(context, reinterpret_cast<uintptr_t>(kev_cp_redirect));
  } else if (!between(at, kev_cp_start, kev_cp_finish)) {
    uintptr_t frame = self.inside.load(std::memory_order_relaxed);
    if (frame == 0) return;
    if (is_left(context, frame))
      self.inside.store(0, std::memory_order_relaxed);
    else
      raise_again(context);
  }
}

// SIG_DFL is 0; a child of posix_spawn() inherits SIG_IGN.
bool is_handler(Handler handler) { return reinterpret_cast<uintptr_t>(handler) > 1; }

}  // namespace

bool stand_in_front() {
  os::SignalAction now;
  // If nobody can tell, it is as it was.
  if (os::signal_action(kSignal, nullptr, &now) < 0) return libc_handler.load(std::memory_order_relaxed) != nullptr;
  if (!is_handler(now.handler)) return false;
  if (now.handler == on_signal) return true;
  libc_handler.store(now.handler, std::memory_order_relaxed);
  os::SignalAction ours = now;  // its flags, and the way back that unwinders know
  ours.handler = on_signal;
  ours.flags |= SA_RESTART;
  return os::signal_action(kSignal, &ours, nullptr) == 0;
}

bool is_in_front() {
  os::SignalAction now;
  return os::signal_action(kSignal, nullptr, &now) < 0 || now.handler == on_signal;
}

void look_again_below() {
  // Before libc's first pthread_cancel() is done there is no handler: the signal would end the process.
  if (libc_handler.load(std::memory_order_relaxed) == nullptr) return;
  // A child of vfork would leave its parent's word set, and the signal would be its own.
  if (process::in_vfork_child()) return;
  if (self().inside.load(std::memory_order_relaxed) != 0) raise();
}

}  // namespace kev::cancel
