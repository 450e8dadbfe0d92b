// Adds up the time between start() and stop().
//
// By the calling thread's CPU time where nothing sleeps, so that other load on the machine is not counted; by the
// process's where several threads work, with its children's (those that were waited for) where it makes some; by the
// wall clock where a call waits for somebody else.
#pragma once

#include <cstdint>
#include <ctime>
#include <sys/resource.h>

namespace kev::bench {

// none: what is added up is no time.
enum class Clock { none, thread_cpu, process_cpu, family_cpu, wall };

class Stopwatch {
 public:
  explicit Stopwatch(Clock clock)
      : clock_(clock == Clock::thread_cpu ? CLOCK_THREAD_CPUTIME_ID
               : clock == Clock::wall     ? CLOCK_MONOTONIC
                                          : CLOCK_PROCESS_CPUTIME_ID),
        with_children_(clock == Clock::family_cpu) {}
  void start() { started_ = now(); }
  void stop() { elapsed_ += now() - started_; }
  // What was measured in another way.
  void add(int64_t amount) { elapsed_ += amount; }
  int64_t ns() const { return elapsed_; }

 private:
  int64_t now() const {
    timespec time;
    clock_gettime(clock_, &time);
    int64_t ns = time.tv_sec * INT64_C(1'000'000'000) + time.tv_nsec;
    if (!with_children_) return ns;
    rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    return ns + microseconds(usage.ru_utime) * 1000 + microseconds(usage.ru_stime) * 1000;
  }
  static int64_t microseconds(const timeval& time) { return time.tv_sec * INT64_C(1'000'000) + time.tv_usec; }

  clockid_t clock_;
  bool with_children_;
  int64_t started_ = 0;
  int64_t elapsed_ = 0;
};

}  // namespace kev::bench
