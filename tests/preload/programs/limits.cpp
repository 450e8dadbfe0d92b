// A program at its descriptor limit gets as many as without the object.
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "support/makers.hpp"
#include "support/process.hpp"
#include "support/watched.hpp"

using namespace scenario;

namespace {

void limit_to(unsigned long descriptors) {
  rlimit limit;
  CHECK(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = descriptors;
  CHECK(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

// Makes descriptors of one kind until none is left, and gives them back.
void exhaust(const Maker& maker, const Peers& peers, Watched& watched) {
  std::vector<int> made;
  watched.exercise();
  for (;;) {
    second_number = -1;
    errno = 0;
    const int fd = maker.make(peers);
    if (fd < 0) break;
    made.push_back(fd);
    if (second_number >= 0) made.push_back(second_number);
    if (made.size() % 64 == 0) watched.expect({}, 1);
  }
  say("%s %zu then errno %d\n", maker.name, made.size(), errno);
  watched.exercise();
  for (int fd : made) CHECK(::close(fd) == 0);
  watched.exercise();
}

template <size_t count>
void exhaust_each(const Maker (&makers)[count]) {
  limit_to(260);
  Peers peers;
  Watched watched;
  for (const Maker& maker : makers) {
    const pid_t child = ::fork();  // streams keep their numbers: each kind begins afresh
    if (child == 0) {
      exhaust(maker, peers, watched);
      ::_exit(0);
    }
    expect_success(child);
  }
  exhaust(makers[0], peers, watched);
}

}  // namespace

SCENARIO(each_call) { exhaust_each(kMakers); }
SCENARIO(each_unseen_call) { exhaust_each(kUnseenMakers); }

// While another thread's wait is asleep in the core.
SCENARIO(again_and_again) {
  limit_to(300);
  Peers peers;
  Watched watched;
  for (int i = 0; i < 10; ++i) exhaust(kMakers[0], peers, watched);
}

SCENARIO(lowered) {
  Watched watched;
  watched.exercise();
  limit_to(100);
  watched.exercise();
  for (int i = 0; i < 40; ++i) ::eventfd(0, 0);
  watched.exercise();
  Watched small(4);
  say("%d\n", ::eventfd(0, 0));
  watched.exercise();
}

// poll refuses arrays that are larger than the limit, whatever was answered before.
namespace {

// `limit_to` makes the limit its argument.
template <typename LimitTo>
void lower_below_the_array(LimitTo limit_to) {
  Watched watched;
  watched.exercise();
  limit_to(20);
  for (int i = 0; i < 6; ++i) {
    errno = 0;
    const int result = watched.poll(0);
    say("%d %d\n", result, errno);
  }
  limit_to(200);
  watched.exercise();
}

}  // namespace

SCENARIO(lowered_below_the_array) { lower_below_the_array(limit_to); }

// By a user who may lock as much as most systems allow, which is not much more than the program takes.
SCENARIO(locked_memory) {
  rlimit limit;
  CHECK(::getrlimit(RLIMIT_MEMLOCK, &limit) == 0);
  limit.rlim_cur = limit.rlim_max < 8 << 20 ? limit.rlim_max : 8 << 20;
  CHECK(::setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
  if (::geteuid() == 0) CHECK(::setuid(65534) == 0);
  CHECK(::mlockall(MCL_CURRENT) == 0);
  Watched watched;
  watched.exercise();
}

SCENARIO(lowered_below_the_array_by_number) {
  rlimit limit;
  CHECK(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  lower_below_the_array([&](unsigned long descriptors) {
    limit.rlim_cur = descriptors;
    CHECK(::syscall(SYS_setrlimit, RLIMIT_NOFILE, &limit) == 0);
  });
  lower_below_the_array([&](unsigned long descriptors) {
    limit.rlim_cur = descriptors;
    CHECK(::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, nullptr) == 0);
  });
}

namespace {

sigjmp_buf back;

void leave(int) { ::siglongjmp(back, 1); }

// A wait that a handler left by siglongjmp: nothing of it may stand in the way later.
[[gnu::noinline]] void abandon_a_wait(Watched& watched, int times) {
  static int i;  // keeps its value over the jump
  for (i = 0; i < times; ++i) {
    if (sigsetjmp(back, 1) == 0) {
      const itimerval soon = {{0, 0}, {0, 2000}};
      ::setitimer(ITIMER_REAL, &soon, nullptr);
      watched.poll(3);  // in the core: shorter than the time after which a wait becomes the program's own
      watched.poll(3);
    }
    const itimerval never = {};
    ::setitimer(ITIMER_REAL, &never, nullptr);
  }
}

}  // namespace

SCENARIO(after_an_abandoned_wait) {
  limit_to(300);
  Peers peers;
  Watched watched;
  watched.exercise();
  ::signal(SIGALRM, leave);
  for (int round = 0; round < 4; ++round) {
    abandon_a_wait(watched, 10);
    exhaust(kMakers[0], peers, watched);
  }
}

SCENARIO(numbers_after_an_abandoned_wait) {
  Watched watched;
  watched.exercise();
  ::signal(SIGALRM, leave);
  abandon_a_wait(watched, 10);
  for (int i = 0; i < 1200; ++i) say("%d\n", ::eventfd(0, 0));
  watched.exercise();
}

// A jump may come at any moment of the first answers, also while the core makes its descriptors.
SCENARIO(numbers_after_a_jump_at_any_moment) {
  ::signal(SIGALRM, leave);
  for (int i = 0; i < 250; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      Watched watched;
      watched.poll(0);
      watched.poll(0);
      if (sigsetjmp(back, 1) == 0) {
        const itimerval soon = {{0, 0}, {0, 1 + i}};
        ::setitimer(ITIMER_REAL, &soon, nullptr);
        for (;;) watched.poll(0);
      }
      say("%d\n", ::eventfd(0, 0));
      watched.exercise();
      ::_exit(0);
    }
    expect_success(child);
  }
}

SCENARIO_MAIN
