// fork and vfork, the way round the wrappers, and starting a program.
#include <memory>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.hpp"
#include "fixture.hpp"

namespace kev::bench {

namespace {

void await(pid_t child) {
  int status;
  require(child > 0 && waitpid(child, &status, 0) == child && status == 0, "the child failed");
}

void fork_once() {
  pid_t child = fork();
  if (child == 0) _exit(0);
  await(child);
}

struct Forker {
  EventFds fds{100, 1};
  std::vector<pollfd> array = fds.array();
};

}  // namespace

void add_process_cases(Cases& cases) {
  cases.add_call("syscall/getpid", kNoLimit, [] {
    return [pid = getpid()] { require(syscall(SYS_getpid) == pid, "another pid"); };
  });
  cases.add_call("fork+exit", kNoLimit, [] { return [] { fork_once(); }; }, Clock::family_cpu);
  // With an array that the core answers, in the parent alone.
  cases.add_call("fork+exit/poll", kNoLimit,
                 [] {
                   return [state = std::make_unique<Forker>()] {
                     require(poll(state->array.data(), state->array.size(), 0) == 1, "poll failed");
                     fork_once();
                   };
                 },
                 Clock::family_cpu);
  cases.add_call("vfork+exit", kNoLimit,
                 [] {
                   return [] {
                     pid_t child = vfork();
                     if (child == 0) _exit(0);
                     await(child);
                   };
                 },
                 Clock::family_cpu);
  cases.add_spawn("start/true", kHalfMillisecond, Case::Kind::spawn);
  cases.add_spawn("start/true/kev-run", kNoLimit, Case::Kind::spawn_kev_run);
}

}  // namespace kev::bench
