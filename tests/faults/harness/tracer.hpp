// Runs a program under the preload object with some of the object's own system calls failing.
//
// The program is traced by ptrace, which neither it nor the object can see. A system call is the object's own if its
// instruction lies in the object and is not the stub's, through which the program's calls go; the stub's is the
// object's if it is the sleep of an engine, a ppoll on an epoll set that may return to the core. Not the object's:
// vfork. A call that fails is not made at all, or made and its result replaced (close, which closes whatever it
// returns). Threads, children and what they execute are followed. x86_64.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "harness/object.hpp"

namespace faults {

// One of the object's own system calls, about to be made.
struct OwnCall {
  std::string kind;     // the system call and what about it matters: "epoll_ctl ADD"
  uint64_t site = 0;    // its instruction, in the object's file
  unsigned of_kind = 0;  // how many of this kind came before, in all processes of the run
  unsigned of_site = 0;  // how many from this site
};

struct Fault {
  int error = 0;           // 0: the call is left alone
  bool is_made = false;    // it is made all the same
};

using Decide = std::function<Fault(const OwnCall&)>;

struct TracedRun {
  int status = -1;             // as preload_test::Outcome's
  std::string out, err;
  std::vector<OwnCall> calls;  // all that the object made
  unsigned injected = 0;
  std::string hang;            // what every thread was doing, if the run had to be ended
};

struct Program {
  std::vector<std::string> arguments;    // the first is the path
  std::vector<std::string> environment;  // all of it
  int seconds = 10;
};

// Whether this machine lets a process trace its child.
bool can_trace();

// Runs `program`, asking `decide` about every call of the object's.
TracedRun trace(const Program& program, const Object& object, const Decide& decide);

}  // namespace faults
