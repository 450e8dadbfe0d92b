// What a thread does when it is told to look for a request, by where the signal found it:
//
//   in the stub, between the look and the result   nothing is done yet: on to the cancel path
//   elsewhere in the stub                          it is about to look, or has a result and will look
//   in a handler that interrupted a stub           the signal is raised again, blocked until that handler returns
//   anywhere else                                  it is not in a call of ours: the mark waits for its next one
//
// The C library's handler goes first: it acts in its own cancellation points and in the asynchronous type, and does nothing
// otherwise. Any system call that the signal interrupts is restarted if the kernel can.
#include "cancel/handler.hpp"

#include <arch_context.hpp>
#include <csignal>

#include "cancel/record.hpp"
#include "cancel/stub.hpp"
#include "os/pid.hpp"
#include "os/signal_action.hpp"
#include "os/thread.hpp"

namespace kev::cancel {

namespace {

constinit os::SignalAction libc_action = {};

bool between(uintptr_t at, const char* from, const char* to) {
  return at >= reinterpret_cast<uintptr_t>(from) && at < reinterpret_cast<uintptr_t>(to);
}

void raise_again(ucontext_t& context) {
  // The kernel's word: libc's sigaddset() refuses the signal.
  *reinterpret_cast<unsigned long*>(&context.uc_sigmask) |= 1ul << (kSignal - 1);
  os::signal_thread(os::getpid(), os::thread_id(), kSignal);
}

void on_signal(int signal, siginfo_t* info, void* where) {
  libc_action.handler(signal, info, where);
  auto& context = *static_cast<ucontext_t*>(where);
  Record& self = cancel::self();
  self.arrived.store(self.requests.fetch_add(1, std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  uintptr_t at = arch::program_counter(context);
  if (between(at, kev_cp_begin, kev_cp_end))
    arch::set_program_counter(context, reinterpret_cast<uintptr_t>(kev_cp_redirect));
  else if (!between(at, kev_cp_start, kev_cp_finish) && self.inside.load(std::memory_order_relaxed) != 0)
    raise_again(context);
}

}  // namespace

bool install_handler() {
  os::SignalAction now;
  if (os::signal_action(kSignal, nullptr, &now) < 0 || now.handler == nullptr) return false;
  if (now.handler == on_signal) return true;
  libc_action = now;
  os::SignalAction ours = now;  // its flags, and the way back that unwinders know
  ours.handler = on_signal;
  ours.flags |= SA_RESTART;
  return os::signal_action(kSignal, &ours, nullptr) == 0;
}

void look_again_below() {
  if (self().inside.load(std::memory_order_relaxed) != 0) os::signal_thread(os::getpid(), os::thread_id(), kSignal);
}

}  // namespace kev::cancel
