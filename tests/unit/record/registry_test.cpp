// All mirrors of a process: who is in, who is interrupted, revoking, forking, threads that end, stopping.
//
// The registry is the process's, so that each case is a child with one of its own.
#include "record/registry.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <thread>
#include <vector>

#include "cancel/canceller.hpp"
#include "cancel/sleep.hpp"
#include "call/poll.hpp"
#include "record/thread_record.hpp"
#include "mirror/tuning.hpp"
#include "os/clock.hpp"
#include "process/fd_table.hpp"
#include "process/generation.hpp"
#include "process/private_fds.hpp"
#include "support/libc_cancel.hpp"
#include "support/child.hpp"
#include "support/open_descriptors.hpp"
#include "support/signals.hpp"
#include "support/watched_array.hpp"

namespace kev::record {

using namespace call;
using namespace mirror;
using call::poll;
using call::select;
namespace {

using namespace conformance;
using stats::Fallback;
using unit::WatchedArray;
using wait::Deadline;

constexpr std::int64_t kLong = 8 * kSecond;

template <typename Body>
void in_child(Body body) {
  EXPECT_EQ(0, run_in_child([&] {
    tuning = kEager;
    tuning.verify_ns = 1000 * kSecond;  // sleeps stay in the core
    REQUIRE_IN_CHILD(start());
    body();
  }));
}

int poll_now(WatchedArray& array) { return poll(array.fds.data(), array.count(), Deadline::now(), nullptr); }

// Calls until the core answers; how many calls it left to the kernel before.
int calls_until_core(WatchedArray& array) {
  int calls = 0;
  while (poll_now(array) == kNotOurs && calls < 1000) ++calls;
  return calls;
}

std::size_t epoll_sets() { return unit::open_descriptors("eventpoll").size(); }

// A thread that sleeps in the core until its array has an event.
class Sleeper {
 public:
  Sleeper() : array(20), thread_([this] {
    calls_until_core(array);
    ready = true;
    result.store(poll(array.fds.data(), array.count(), Deadline::after(kLong), nullptr));
  }) {
    while (!ready.load()) sleep_ns(kMillisecond / 10);
    sleep_ns(5 * kMillisecond);
  }
  void wake_and_join() {
    add_to_event(array.fds[3].fd);
    thread_.join();
  }

  WatchedArray array;
  std::atomic<bool> ready{false};
  std::atomic<int> result{INT_MIN};

 private:
  std::thread thread_;
};

// Thread ends, as the preload object hears of them.
pthread_key_t exit_key;
std::atomic<void (*)(void*)> exit_function;
bool arm_exit(void (*function)(void*), void* argument) {
  exit_function = function;
  return ::pthread_setspecific(exit_key, argument) == 0;
}
void use_thread_ends() {
  REQUIRE_IN_CHILD(::pthread_key_create(&exit_key, [](void* argument) { exit_function.load()(argument); }) == 0);
  at_thread_exit = arm_exit;
}

TEST(RegistryTest, IsNotStartedByItself) {
  EXPECT_FALSE(is_started());
  revoke_all();
  after_fork();
  in_child([] {
    REQUIRE_IN_CHILD(is_started());
    REQUIRE_IN_CHILD(start());
  });
}

TEST(RegistryTest, AnswersAfterTheFirstCalls) {
  in_child([] {
    WatchedArray array(20);
    REQUIRE_IN_CHILD(calls_until_core(array) == static_cast<int>(tuning.promote_after));
    REQUIRE_IN_CHILD(poll_now(array) == 0);
    add_to_event(array.fds[3].fd);
    REQUIRE_IN_CHILD(poll_now(array) == 1);
    REQUIRE_IN_CHILD(array.fds[3].revents == POLLIN);
    REQUIRE_IN_CHILD(epoll_sets() == 1);
  });
}

TEST(RegistryTest, AnswersForSelectToo) {
  in_child([] {
    WatchedArray array(20);
    fd_set set;
    int result = kNotOurs, nfds = array.fds.back().fd + 1;
    add_to_event(array.fds[3].fd);
    for (int i = 0; i < 4; ++i) {
      FD_ZERO(&set);
      for (const pollfd& entry : array.fds) FD_SET(entry.fd, &set);
      result = select(nfds, &set, nullptr, nullptr, Deadline::now(), nullptr);
    }
    REQUIRE_IN_CHILD(result == 1);
    REQUIRE_IN_CHILD(FD_ISSET(array.fds[3].fd, &set) && !FD_ISSET(array.fds[4].fd, &set));
  });
}

TEST(RegistryTest, IsEnteredAndLeft) {
  in_child([] {
    Fallback reason;
    std::uint64_t cookie;
    ThreadRecord* record = enter(reason, cookie);
    REQUIRE_IN_CHILD(record != nullptr && record->state > ThreadRecord::kFree);
    leave(record);
    REQUIRE_IN_CHILD(record->state == ThreadRecord::kIdle);
    REQUIRE_IN_CHILD(enter(reason, cookie) == record);
    leave(record);
  });
}

WatchedArray* handlers_array;
std::atomic<int> handlers_result;
void poll_in_handler(int) { handlers_result = poll_now(*handlers_array); }

TEST(RegistryTest, LeavesAHandlerThatInterruptsTheCoreToTheKernel) {
  in_child([] {
    WatchedArray array(20);
    handlers_array = &array;
    Handler handler(SIGUSR1, poll_in_handler);
    calls_until_core(array);
    Fallback reason;
    std::uint64_t cookie;
    ThreadRecord* record = enter(reason, cookie);
    ::raise(SIGUSR1);
    REQUIRE_IN_CHILD(handlers_result == kNotOurs);
    leave(record);
    ::raise(SIGUSR1);
    REQUIRE_IN_CHILD(handlers_result == 0);
    REQUIRE_IN_CHILD(poll_now(array) == 0);
  });
}

sigjmp_buf back;
void jump(int) { siglongjmp(back, 1); }

// The first sleep is interrupted by a handler that does not come back.
int sleep_and_jump(pollfd* fds, nfds_t count, const timespec*, const sigset_t* mask) {
  ::raise(SIGUSR1);  // kept for the sleep
  const timespec zero{};
  return ::ppoll(fds, count, &zero, mask);
}

// From a deeper frame than the other calls of the test.
[[gnu::noinline]] void poll_and_jump(WatchedArray& array) {
  char depth[4096];
  std::memset(depth, 0, sizeof depth);
  asm volatile("" : : "r"(depth) : "memory");
  cancel::stand_in.ppoll = sleep_and_jump;
  if (sigsetjmp(back, 1) == 0) poll(array.fds.data(), array.count(), Deadline::after(kLong), nullptr);
  cancel::stand_in.ppoll = nullptr;
}

TEST(RegistryTest, GetsOverAHandlerThatJumpsOutOfTheCore) {
  in_child([] {
    Handler handler(SIGUSR1, jump);
    WatchedArray array(20);
    for (int jumps = 0; jumps < 3; ++jumps) {
      calls_until_core(array);
      poll_and_jump(array);
      REQUIRE_IN_CHILD(poll_now(array) == kNotOurs);
      REQUIRE_IN_CHILD(calls_until_core(array) < 10);
      add_to_event(array.fds[3].fd);
      REQUIRE_IN_CHILD(poll_now(array) == 1);
      drain(array.fds[3].fd);
      // What was left behind is neither waited for nor kept.
      Stopwatch watch;
      revoke_all();
      REQUIRE_IN_CHILD(watch.elapsed() < 15 * kMillisecond);
      REQUIRE_IN_CHILD(process::private_count == 0);
      REQUIRE_IN_CHILD(epoll_sets() == 0);
    }
  });
}

// Descriptors of a record that was jumped out of are held by nobody.
TEST(RegistryTest, GetsOverManyJumps) {
  in_child([] {
    Handler handler(SIGUSR1, jump);
    WatchedArray array(20);
    for (int jumps = 0; jumps < 6; ++jumps) {
      REQUIRE_IN_CHILD(calls_until_core(array) < 100);
      poll_and_jump(array);
    }
  });
}

[[gnu::noinline]] int poll_deeper(WatchedArray& array) {
  char depth[16384];
  std::memset(depth, 0, sizeof depth);
  asm volatile("" : : "r"(depth) : "memory");
  return calls_until_core(array);
}

// The frame that was jumped out of is gone, though the calls that come later are deeper than it was.
TEST(RegistryTest, GetsOverAJumpThoughLaterCallsAreDeeper) {
  in_child([] {
    Handler handler(SIGUSR1, jump);
    WatchedArray array(20);
    calls_until_core(array);
    poll_and_jump(array);
    REQUIRE_IN_CHILD(poll_deeper(array) < 100);
    revoke_all();
    REQUIRE_IN_CHILD(process::private_count == 0);
  });
}

// A thread that a jump took out of its sleep, and that waits no more, has no use for what it held.
TEST(RegistryTest, TakesWhatAnotherThreadLeftByAJump) {
  in_child([] {
    Handler handler(SIGUSR1, jump);
    static WatchedArray array(20);
    static std::atomic<int> step{0};
    std::thread thread([] {
      calls_until_core(array);
      if (sigsetjmp(back, 1) == 0) {
        step = 1;
        poll(array.fds.data(), array.count(), Deadline::after(kLong), nullptr);
      }
      step = 2;
      while (step != 3) sleep_ns(kMillisecond / 10);
      REQUIRE_IN_CHILD(poll_deeper(array) < 100);
      add_to_event(array.fds[3].fd);
      REQUIRE_IN_CHILD(poll_now(array) == 1);
    });
    while (step != 1) sleep_ns(kMillisecond / 10);
    sleep_ns(5 * kMillisecond);
    ::pthread_kill(thread.native_handle(), SIGUSR1);
    while (step != 2) sleep_ns(kMillisecond / 10);
    revoke_all();
    REQUIRE_IN_CHILD(process::private_count == 0);
    REQUIRE_IN_CHILD(epoll_sets() == 0);
    for (const pollfd& entry : array.fds) REQUIRE_IN_CHILD(process::fd_marks(entry.fd) == 0);
    Stopwatch watch;
    revoke_all();
    REQUIRE_IN_CHILD(watch.elapsed() < 15 * kMillisecond);
    step = 3;
    thread.join();
  });
}

TEST(RegistryTest, TakesWhatTheThreadItselfLeftByAJump) {
  in_child([] {
    Handler handler(SIGUSR1, jump);
    WatchedArray array(20);
    for (int jumps = 0; jumps < 3; ++jumps) {
      REQUIRE_IN_CHILD(calls_until_core(array) < 100);
      poll_and_jump(array);
      revoke_all();
      REQUIRE_IN_CHILD(process::private_count == 0);
      REQUIRE_IN_CHILD(epoll_sets() == 0);
    }
  });
}

// As a jump out of the core at another moment than its sleep.
[[gnu::noinline]] void enter_and_be_gone() {
  char depth[4096];
  std::memset(depth, 0, sizeof depth);
  asm volatile("" : : "r"(depth) : "memory");
  Fallback reason;
  std::uint64_t cookie;
  REQUIRE_IN_CHILD(enter(reason, cookie) != nullptr);
}

TEST(RegistryTest, TakesWhatTheThreadItselfLeftAwake) {
  in_child([] {
    WatchedArray array(20);
    calls_until_core(array);
    enter_and_be_gone();
    revoke_all();
    REQUIRE_IN_CHILD(process::private_count == 0);
    REQUIRE_IN_CHILD(epoll_sets() == 0);
    REQUIRE_IN_CHILD(calls_until_core(array) < 100);
  });
}

TEST(RegistryTest, TakesFromASleepInTheHandlerThatInterruptedIt) {
  in_child([] {
    static WatchedArray array(20);
    calls_until_core(array);
    cancel::stand_in.ppoll = [](pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask) {
      cancel::stand_in.ppoll = nullptr;
      revoke_all();
      REQUIRE_IN_CHILD(process::private_count == 0);
      REQUIRE_IN_CHILD(epoll_sets() == 0);
      add_to_event(array.fds[3].fd);
      return ::ppoll(fds, count, timeout, mask);
    };
    REQUIRE_IN_CHILD(poll(array.fds.data(), array.count(), Deadline::after(kLong), nullptr) == 1);
    REQUIRE_IN_CHILD(array.fds[3].revents == POLLIN);
    drain(array.fds[3].fd);
    REQUIRE_IN_CHILD(calls_until_core(array) < 10);
    for (const pollfd& entry : array.fds) REQUIRE_IN_CHILD(process::fd_marks(entry.fd) == 1);
  });
}

// The sleeper has no processor while its descriptors are taken, and another file has the set's number as it goes on.
TEST(RegistryTest, TakesFromASleeperThatDoesNotAnswer) {
  in_child([] {
    static std::atomic<int> set{-1};
    static std::atomic<bool> may_go_on{false};
    cancel::stand_in.ppoll = [](pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask) {
      if (count != 1) return ::ppoll(fds, count, timeout, mask);
      set = fds->fd;
      while (!may_go_on) sleep_ns(kMillisecond / 10);
      return ::ppoll(fds, count, timeout, mask);
    };
    Sleeper sleeper;
    while (set < 0) sleep_ns(kMillisecond / 10);
    revoke_all();
    REQUIRE_IN_CHILD(process::private_count == 0);
    REQUIRE_IN_CHILD(epoll_sets() == 0);
    const int other = ::epoll_create1(0);
    const int event = ::eventfd(0, EFD_NONBLOCK);
    epoll_event wanted = {};
    wanted.events = EPOLLIN | EPOLLONESHOT;
    REQUIRE_IN_CHILD(::epoll_ctl(other, EPOLL_CTL_ADD, event, &wanted) == 0);
    REQUIRE_IN_CHILD(::dup2(other, set) == set);
    add_to_event(event);
    may_go_on = true;
    sleeper.wake_and_join();
    REQUIRE_IN_CHILD(sleeper.result == 1);
    REQUIRE_IN_CHILD(sleeper.array.fds[3].revents == POLLIN);
    // The other set's event is still its owner's.
    REQUIRE_IN_CHILD(::epoll_wait(other, &wanted, 1, 0) == 1);
  });
}

TEST(RegistryTest, GivesEverythingBackWhenItIsRevoked) {
  in_child([] {
    WatchedArray array(20);
    calls_until_core(array);
    REQUIRE_IN_CHILD(process::private_count == 2);  // the set, and what wakes it
    revoke_all();
    REQUIRE_IN_CHILD(process::private_count == 0);
    REQUIRE_IN_CHILD(epoll_sets() == 0);
    REQUIRE_IN_CHILD(process::private_guard == INT_MAX);
    REQUIRE_IN_CHILD(calls_until_core(array) < 10);
  });
}

TEST(RegistryTest, GivesEverythingBackThoughAThreadSleepsAndTheSleeperGetsItsEvent) {
  in_child([] {
    Sleeper sleeper;
    REQUIRE_IN_CHILD(process::private_count == 2);
    // It waits for the sleeper to leave, but not for long; on a busy machine the sleeper may need more.
    for (Stopwatch all; process::private_count != 0;) {
      Stopwatch watch;
      revoke_all();
      REQUIRE_IN_CHILD(watch.elapsed() < kSecond);
      REQUIRE_IN_CHILD(all.elapsed() < 5 * kSecond);
    }
    REQUIRE_IN_CHILD(epoll_sets() == 0);
    REQUIRE_IN_CHILD(sleeper.result == INT_MIN);
    sleeper.wake_and_join();
    REQUIRE_IN_CHILD(sleeper.result == 1);
    REQUIRE_IN_CHILD(sleeper.array.fds[3].revents == POLLIN);
  });
}

TEST(RegistryTest, MakesNoMirrorForAWhileAfterTheLimitWasMet) {
  in_child([] {
    WatchedArray array(20);
    calls_until_core(array);
    REQUIRE_IN_CHILD(!is_paused());
    revoke_for_a_while();
    REQUIRE_IN_CHILD(is_paused());
    REQUIRE_IN_CHILD(process::private_count == 0);
    for (int i = 0; i < 10; ++i) REQUIRE_IN_CHILD(poll_now(array) == kNotOurs);
  });
}

TEST(RegistryTest, StopsForGood) {
  in_child([] {
    WatchedArray array(20), other(20);
    calls_until_core(array);
    REQUIRE_IN_CHILD(!is_stopped());
    stop();
    REQUIRE_IN_CHILD(is_stopped());
    REQUIRE_IN_CHILD(process::private_count == 0);
    for (int i = 0; i < 100; ++i) {
      REQUIRE_IN_CHILD(poll_now(array) == kNotOurs);
      REQUIRE_IN_CHILD(poll_now(other) == kNotOurs);
    }
    REQUIRE_IN_CHILD(epoll_sets() == 0);
  });
}

// What a forked child finds: nothing of its parent's, and it may wait at once.
void require_clean_child(WatchedArray& array, bool closed) {
  REQUIRE_IN_CHILD(process::private_count == 0);
  REQUIRE_IN_CHILD(!process::is_forked_child());
  for (const pollfd& entry : array.fds) REQUIRE_IN_CHILD(process::fd_marks(entry.fd) == 0);
  if (closed) REQUIRE_IN_CHILD(epoll_sets() == 0);
  const std::size_t before = epoll_sets();
  REQUIRE_IN_CHILD(calls_until_core(array) < 10);
  REQUIRE_IN_CHILD(epoll_sets() == before + 1);
  add_to_event(array.fds[5].fd);
  REQUIRE_IN_CHILD(poll_now(array) >= 1);
  drain(array.fds[5].fd);
}

TEST(RegistryTest, DropsWhatAChildOfAThreadedProcessInherits) {
  in_child([] {
    WatchedArray array(20);
    Sleeper sleeper, other;
    calls_until_core(array);
    REQUIRE_IN_CHILD(epoll_sets() == 3);
    REQUIRE_IN_CHILD(run_in_child([&] {
      after_fork();
      require_clean_child(array, true);
    }) == 0);
    REQUIRE_IN_CHILD(poll_now(array) == 0);
    REQUIRE_IN_CHILD(epoll_sets() == 3);
    sleeper.wake_and_join();
    other.wake_and_join();
    REQUIRE_IN_CHILD(sleeper.result == 1 && other.result == 1);
  });
}

TEST(RegistryTest, NoticesAChildThatNobodyAnnounced) {
  in_child([] {
#ifdef __SANITIZE_THREAD__
    return;  // takes the threads that such a child does not have for running
#endif
    WatchedArray array(20);
    Sleeper sleeper;
    calls_until_core(array);
    const pid_t child = static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    if (child == 0) {
      REQUIRE_IN_CHILD(poll_now(array) == kNotOurs);
      require_clean_child(array, false);
      ::_exit(0);
    }
    REQUIRE_IN_CHILD(status_of(child) == 0);
    REQUIRE_IN_CHILD(poll_now(array) == 0);
    sleeper.wake_and_join();
    REQUIRE_IN_CHILD(sleeper.result == 1);
  });
}

TEST(RegistryTest, SurvivesAForkInAHandlerThatInterruptedTheCore) {
  in_child([] {
    static WatchedArray array(20);
    static int status;
    calls_until_core(array);
    // Parent and child both go on in the frame that was interrupted.
    cancel::stand_in.ppoll = [](pollfd* fds, nfds_t count, const timespec*, const sigset_t*) {
      cancel::stand_in.ppoll = nullptr;
      const pid_t child = ::fork();
      if (child == 0) {
        after_fork();
        status = -1;
      } else {
        status = status_of(child);
      }
      timespec zero = {0, 0};
      return ::ppoll(fds, count, &zero, nullptr);
    };
    int result = poll(array.fds.data(), array.count(), Deadline::after(20 * kMillisecond), nullptr);
    REQUIRE_IN_CHILD(result == 0 || result == kNotOurs);
    if (status == -1) {
      require_clean_child(array, true);
      ::_exit(0);
    }
    REQUIRE_IN_CHILD(status == 0);
    REQUIRE_IN_CHILD(poll_now(array) == 0);
  });
}

// The program's own call that finishes a wait is interrupted by a handler that forks; the child goes on with a record
// of its own, and leaves it again.
TEST(RegistryTest, LeavesTheRecordThatAWaitWasFinishedIn) {
  in_child([] {
    static WatchedArray array(20);
    static int status;
    calls_until_core(array);
    tuning.verify_ns = 0;
    cancel::stand_in.ppoll = [](pollfd* fds, nfds_t count, const timespec*, const sigset_t*) {
      if (count > 1) {
        cancel::stand_in.ppoll = nullptr;
        const pid_t child = ::fork();
        if (child == 0) {
          after_fork();
          status = -1;
        } else {
          status = status_of(child);
        }
        add_to_event(array.fds[2].fd);
      }
      timespec zero = {0, 0};
      return ::ppoll(fds, count, &zero, nullptr);
    };
    const int result = poll(array.fds.data(), array.count(), Deadline::after(kLong), nullptr);
    REQUIRE_IN_CHILD(result == 1);
    if (status == -1) {
      Fallback reason;
      std::uint64_t cookie;
      ThreadRecord* record = enter(reason, cookie);
      REQUIRE_IN_CHILD(record != nullptr);
      leave(record);
      ::_exit(0);
    }
    REQUIRE_IN_CHILD(status == 0);
  });
}

TEST(RegistryTest, FreesTheRecordsOfThreadsThatEnd) {
  in_child([] {
    use_thread_ends();
    for (int i = 0; i < 20; ++i) {
      std::thread([] {
        WatchedArray array(20);
        REQUIRE_IN_CHILD(calls_until_core(array) < 10);
      }).join();
      REQUIRE_IN_CHILD(epoll_sets() == 0);
    }
    REQUIRE_IN_CHILD(process::private_count <= 1);
  });
}

TEST(RegistryTest, FreesTheRecordsOfAThreadThatIsCancelledInTheCore) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer takes a stack that was unwound by cancellation for one in use";
#endif
  in_child([] {
    use_thread_ends();
    unit::connect_libc();
    static WatchedArray array(20);
    static std::atomic<bool> ready;
    pthread_t thread;
    ::pthread_create(&thread, nullptr,
                     [](void*) -> void* {
                       calls_until_core(array);
                       ready = true;
                       poll(array.fds.data(), array.count(), Deadline::after(kLong), nullptr);
                       return nullptr;
                     },
                     nullptr);
    while (!ready) sleep_ns(kMillisecond / 10);
    sleep_ns(5 * kMillisecond);
    cancel::cancel(thread);
    void* result;
    ::pthread_join(thread, &result);
    REQUIRE_IN_CHILD(result == PTHREAD_CANCELED);
    REQUIRE_IN_CHILD(epoll_sets() == 0);
    Stopwatch watch;
    revoke_all();
    REQUIRE_IN_CHILD(watch.elapsed() < 10 * kMillisecond);
    REQUIRE_IN_CHILD(process::private_count == 0);
  });
}

// A revoker holds the record of a thread that ends: its mirrors are the revoker's until it has done.
TEST(RegistryTest, LetsARevokerFinishBeforeAThreadsRecordsAreFreed) {
  in_child([] {
    use_thread_ends();
    std::atomic<ThreadRecord*> record{nullptr};
    std::atomic<bool> may_end{false};
    std::thread thread([&] {
      WatchedArray array(20);
      calls_until_core(array);
      Fallback reason;
      std::uint64_t cookie;
      ThreadRecord* mine = enter(reason, cookie);
      leave(mine);
      record = mine;
      while (!may_end) sleep_ns(kMillisecond / 10);
    });
    while (record == nullptr) sleep_ns(kMillisecond / 10);
    std::uintptr_t idle = ThreadRecord::kIdle;
    REQUIRE_IN_CHILD(record.load()->state.compare_exchange_strong(idle, ThreadRecord::kRevoking));
    may_end = true;
    sleep_ns(30 * kMillisecond);
    REQUIRE_IN_CHILD(record.load()->state == ThreadRecord::kRevoking);
    REQUIRE_IN_CHILD(record.load()->poll_mirror[0].is_open());
    record.load()->state = ThreadRecord::kIdle;
    thread.join();
    REQUIRE_IN_CHILD(record.load()->state == ThreadRecord::kFree);
  });
}

// A handler that interrupts a revoker and leaves by a jump leaves no record behind that its owner would wait for.
TEST(RegistryTest, LetsAThreadEndThoughARevokerWasJumpedOutOf) {
  in_child([] {
    use_thread_ends();
    ::alarm(20);
    sigset_t held;
    sigemptyset(&held);
    sigaddset(&held, SIGVTALRM);
    Handler handler(SIGVTALRM, jump);
    ::pthread_sigmask(SIG_BLOCK, &held, nullptr);
    std::atomic<bool> over{false};
    std::thread thread([&] {
      WatchedArray array(20);
      while (!over) poll_now(array);
    });
    ::pthread_sigmask(SIG_UNBLOCK, &held, nullptr);
    for (int round = 0; round < 100; ++round) {
      const itimerval timer{{0, 0}, {0, 100 + round % 200}};
      if (sigsetjmp(back, 1) == 0) {
        ::setitimer(ITIMER_VIRTUAL, &timer, nullptr);
        for (int i = 0; i < 40; ++i) revoke_all();
      }
    }
    const itimerval none{};
    ::setitimer(ITIMER_VIRTUAL, &none, nullptr);
    over = true;
    thread.join();
  });
}

// Threads that use mirrors and end, while another revokes everything again and again.
TEST(RegistryTest, RevokesWhileThreadsComeAndGo) {
  in_child([] {
    use_thread_ends();
    std::atomic<bool> over{false};
    std::atomic<int> wrong{0}, rounds{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&] {
        WatchedArray array(16);
        while (!over) {
          std::thread([&] {
            WatchedArray own(16);
            for (int call = 0; call < 6; ++call) {
              int result = poll_now(own);
              if (result != 0 && result != kNotOurs) wrong.fetch_add(1);
            }
          }).join();
          int result = poll_now(array);
          if (result != 0 && result != kNotOurs) wrong.fetch_add(1);
          rounds.fetch_add(1);
        }
      });
    }
    for (Stopwatch watch; watch.elapsed() < 700 * kMillisecond;) revoke_all();
    over = true;
    for (std::thread& thread : threads) thread.join();
    revoke_all();  // what the last one left
    REQUIRE_IN_CHILD(wrong == 0);
    REQUIRE_IN_CHILD(rounds > 3);
    REQUIRE_IN_CHILD(epoll_sets() == 0);
    REQUIRE_IN_CHILD(process::private_count == 0);
  });
}

// Threads that poll, close and reuse their descriptors, while another thread revokes and a third notes changes.
TEST(RegistryTest, AnswersRightlyWhileItIsRevoked) {
  in_child([] {
    std::atomic<bool> over{false};
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i) {
      threads.emplace_back([&] {
        WatchedArray array(20);
        for (unsigned round = 0; !over; ++round) {
          const int fd = array.fds[round % 20].fd;
          add_to_event(fd);
          int result = poll(array.fds.data(), array.count(), Deadline::after(kMillisecond), nullptr);
          if (result != kNotOurs && (result != 1 || array.fds[round % 20].revents != POLLIN)) wrong.fetch_add(1);
          drain(fd);
          result = poll(array.fds.data(), array.count(), Deadline::after(kMillisecond / 10), nullptr);
          if (result != kNotOurs && result != 0) wrong.fetch_add(1);
        }
      });
    }
    threads.emplace_back([&] {
      for (; !over; sleep_ns(kMillisecond / 5)) revoke_all();
    });
    sleep_ns(500 * kMillisecond);
    over = true;
    for (std::thread& thread : threads) thread.join();
    REQUIRE_IN_CHILD(wrong == 0);
  });
}

volatile sig_atomic_t alarms;
void count_alarm(int) { alarms = alarms + 1; }

// Between the core's sleep and the program's own call, which finishes the wait, a handler may run. To the program
// that is one wait, and it ends with EINTR.
TEST(RegistryTest, IsInterruptedByAHandlerThatRunsBetweenTheTwoSleepsOfAWait) {
  in_child([] {
    Handler handler(SIGUSR1, count_alarm, SA_RESTART);
    WatchedArray array(20);
    calls_until_core(array);
    tuning.verify_ns = 20 * kMillisecond;
    cancel::stand_in.ppoll = [](pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask) {
      const int result = ::ppoll(fds, count, timeout, mask);
      if (count == 1) ::raise(SIGUSR1);  // as the core's own sleep ends
      return result;
    };
    Stopwatch watch;
    const int result = poll(array.fds.data(), array.count(), Deadline::after(300 * kMillisecond), nullptr);
    REQUIRE_IN_CHILD(alarms == 1);
    REQUIRE_IN_CHILD(result == -EINTR);
    REQUIRE_IN_CHILD(watch.elapsed() < 200 * kMillisecond);
  });
}

}  // namespace
}  // namespace kev::record
