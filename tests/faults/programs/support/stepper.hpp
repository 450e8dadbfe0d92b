// Delivers a signal at one chosen instruction of a call.
//
// The call is stepped through once by the processor's trap flag, and where each step was is noted. From then on a
// breakpoint in the preloaded object's code, at an instruction that the call comes by once, goes most of the way, and
// the trap flag the rest. At the chosen instruction SIGTRAP's handler sends the thread SIGUSR1, which the kernel
// delivers as that handler returns: on top of that very instruction, or, if the signal is blocked, as soon as it is
// not. One thread at a time. x86_64.
#pragma once

#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "support/scenario.hpp"

namespace scenario {

class Stepper {
 public:
  static constexpr long kNever = __LONG_MAX__;

  // `handler` is SIGUSR1's.
  static void install(void (*handler)(int)) {
    struct sigaction action = {};
    action.sa_flags = SA_SIGINFO;
    action.sa_sigaction = on_trap;
    ::sigfillset(&action.sa_mask);
    CHECK(::sigaction(SIGTRAP, &action, nullptr) == 0);
    action = {};
    action.sa_handler = handler;
    CHECK(::sigaction(SIGUSR1, &action, nullptr) == 0);
    open_code();
    trace_ = new uintptr_t[kMostSteps];
  }

  // What was stepped through with kNever is what breakpoints go by from now on. Returns the number of steps.
  static long learn() {
    std::map<uintptr_t, long> times;
    for (long i = 0; i < steps_; ++i) ++times[trace_[i]];
    unique_.assign(static_cast<size_t>(steps_), -1);
    for (long i = 0, last = -1; i < steps_; ++i) {
      if (times[trace_[i]] == 1 && trace_[i] >= code_ && trace_[i] < code_end_) last = i;
      unique_[static_cast<size_t>(i)] = last;
    }
    return steps_;
  }

  // Of what was learnt: the first step after a sleep in the object's stub of cancellation points, whose system call is
  // followed by a load of a word of its own. -1: there was none.
  static long first_after_a_sleep() {
    constexpr unsigned char kCallAndLoad[] = {0x0f, 0x05, 0x4c, 0x8b, 0x1d};
    for (long i = 0; i < static_cast<long>(unique_.size()); ++i)
      if (trace_[i] >= code_ && trace_[i] < code_end_ - 8 &&
          ::memcmp(reinterpret_cast<const char*>(trace_[i]), kCallAndLoad, sizeof kCallAndLoad) == 0)
        return i + 1;
    return -1;
  }

  // The signal comes at step `step`, counted from the next instruction.
  [[gnu::always_inline]] static void begin(long step) {
    steps_ = 0;
    target_ = step;
    const long stop = step < static_cast<long>(unique_.size()) ? unique_[static_cast<size_t>(step)] : -1;
    if (stop >= 0) {
      steps_ = stop;
      set_breakpoint(trace_[stop]);
    } else {
      __asm__ volatile(
          "lea -128(%%rsp), %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tlea 128(%%rsp), %%rsp" ::: "memory",
          "cc");
    }
  }
  [[gnu::always_inline]] static void end() {
    __asm__ volatile(
        "lea -128(%%rsp), %%rsp\n\tpushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq\n\tlea 128(%%rsp), %%rsp" ::: "memory",
        "cc");
    clear_breakpoint();
  }
  // Where the signal was sent last: an address in the object, or in memory.
  static uintptr_t where() { return where_ >= code_ && where_ < code_end_ ? where_ - base_ : where_; }

 private:
  static constexpr long kMostSteps = 1 << 18;
  static constexpr unsigned char kBreakpoint = 0xcc;

  static void on_trap(int, siginfo_t* info, void* context) {
    auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    constexpr long long kTrapFlag = 0x100;
    if (info->si_code == SI_KERNEL) {
      --registers[REG_RIP];
      clear_breakpoint();
      registers[REG_EFL] |= kTrapFlag;
    }
    const auto at = static_cast<uintptr_t>(registers[REG_RIP]);
    const long step = steps_;
    steps_ = step + 1;
    if (target_ == kNever && step < kMostSteps) trace_[step] = at;
    if (step != target_) return;
    registers[REG_EFL] &= ~kTrapFlag;
    where_ = at;
    ::tgkill(::getpid(), ::gettid(), SIGUSR1);
  }

  static void set_breakpoint(uintptr_t at) {
    breakpoint_ = reinterpret_cast<unsigned char*>(at);
    replaced_ = *breakpoint_;
    *breakpoint_ = kBreakpoint;
  }
  static void clear_breakpoint() {
    if (breakpoint_ != nullptr) *breakpoint_ = replaced_;
    breakpoint_ = nullptr;
  }

  // Makes the object's code writable.
  static void open_code() {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      if (line.find("/libkev-preload.so") == std::string::npos) continue;
      char* rest;
      const uintptr_t from = ::strtoul(line.c_str(), &rest, 16), to = ::strtoul(rest + 1, &rest, 16);
      if (base_ == 0) base_ = from;
      if (rest[3] != 'x') continue;
      code_ = from;
      code_end_ = to;
      CHECK(::mprotect(reinterpret_cast<void*>(from), to - from, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
    }
  }

  static inline volatile long steps_ = 0;
  static inline volatile long target_ = kNever;
  static inline volatile uintptr_t where_ = 0;
  static inline uintptr_t* trace_ = nullptr;
  static inline std::vector<long> unique_;  // by step: the last before it that has an instruction of its own, or -1
  static inline unsigned char* volatile breakpoint_ = nullptr;
  static inline unsigned char replaced_ = 0;
  static inline uintptr_t code_ = 0, code_end_ = 0, base_ = 0;
};

}  // namespace scenario
