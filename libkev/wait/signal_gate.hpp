// Keeps signals for the sleeps of one wait.
//
// A wait that sleeps twice (in the core, then in the program's own call) has a gap between the two: a handler that runs
// there interrupts neither, and the wait would sleep on where the program's own poll() would have returned EINTR. So
// signals are blocked before the first sleep, both sleeps let them in by their mask (ppoll, pselect), and the program's
// mask is put back when the wait is over. Left alone are the C library's own signals, which end threads and change
// users, and those that a fault of this very thread raises.
//
// A plain value without a destructor: a cancelled thread unwinds past it. Its mask is the program's then, since
// cancellation acts inside the sleep.
#pragma once

#include <csignal>

#include "os/thread.hpp"

namespace kev::wait {

// One signal in the kernel's sigset_t.
constexpr unsigned long signal_bit(int signal) { return 1ul << (signal - 1); }

class SignalGate {
 public:
  // What it costs, together with open().
  static constexpr unsigned kCalls = 2;
  bool is_closed() const { return closed_; }

  void close() {
    if (closed_) return;
    constexpr unsigned long kLeftAlone = signal_bit(32) | signal_bit(33) | signal_bit(SIGSEGV) | signal_bit(SIGBUS) |
                                         signal_bit(SIGILL) | signal_bit(SIGFPE) | signal_bit(SIGTRAP) |
                                         signal_bit(SIGSYS) | signal_bit(SIGABRT);
    program_.whole = {};
    closed_ = os::block_signals(~kLeftAlone, program_.word) == 0;
  }
  void open() {
    if (closed_) os::set_signal_mask(program_.word);
    closed_ = false;
  }

  // The mask to sleep with: what the program asked for, or its own.
  const sigset_t* mask(const sigset_t* asked) const {
    return asked != nullptr || !closed_ ? asked : &program_.whole;
  }

 private:
  // The program's mask: the kernel's word, in the C library's larger set, of which another interposer may read all.
  // Written by close() alone.
  union Mask {
    sigset_t whole;
    unsigned long word;
  } program_;
  bool closed_ = false;
};

}  // namespace kev::wait
