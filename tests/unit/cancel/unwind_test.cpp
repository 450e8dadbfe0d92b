// A stack with the stub on top can be unwound at every instruction of the stub: by debuggers and profilers, and by a
// cancellation that acts at once.
//
// The thread steps through the stub by the processor's trap flag; the handler of each trap walks the stack. The kernel
// does not trap behind the system call's instruction itself: at that place a signal is taken that the call sends.
#include <gtest/gtest.h>
#include <pthread.h>

#ifndef __x86_64__
TEST(UnwindTest, IsForX86) { GTEST_SKIP() << "steps by x86's trap flag"; }
#else

#ifdef HAVE_LIBUNWIND
#define UNW_LOCAL_ONLY
#include <libunwind.h>
#endif
#include <dlfcn.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unwind.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <set>
#include <string>

#include "cancel/canceller.hpp"
#include "cancel/record.hpp"
#include "cancel/stub.hpp"
#include "os/pid.hpp"
#include "os/thread.hpp"
#include "process/quiet.hpp"
#include "support/descriptor.hpp"
#include "support/libc_cancel.hpp"
#include "support/signals.hpp"
#include "support/stub_call.hpp"
#include "support/target.hpp"

extern "C" long kev_cp_cancelled(long, long, long, long, long, long, long, unsigned long)
    __attribute__((visibility("hidden")));

namespace kev::cancel {
namespace {

using namespace conformance;
using namespace unit;

constexpr int kMaxWindow = 512;  // bytes of the stub

int window() { return static_cast<int>(kev_cp_finish - kev_cp_start); }

// The frames that every walk has to find: who called the stub, and where the thread's own code begins.
[[gnu::noinline]] long call_stub(unsigned long how, long number, long a, long b, long c) {
  const long result = kev_syscall_cp(a, b, c, 0, 0, 0, number, how);
  __asm__ volatile("");  // not a jump
  return result;
}

struct Found {
  bool caller = false;  // directly behind the stub
  bool entry = false;   // the thread's first function of ours
  bool whole = false;   // up to the end
  bool all() const { return caller && entry && whole; }
};

void* entry(void*);

// libunwind, loaded apart: it defines the unwinder's own names too, which the C++ library must not get.
class Libunwind {
 public:
#ifdef HAVE_LIBUNWIND
#define KEV_TEXT(name) KEV_TEXT_OF(name)
#define KEV_TEXT_OF(name) #name
  Libunwind() {
    void* library = ::dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return;
    init_ = reinterpret_cast<decltype(init_)>(::dlsym(library, KEV_TEXT(unw_init_local2)));
    step_ = reinterpret_cast<decltype(step_)>(::dlsym(library, KEV_TEXT(unw_step)));
    about_ = reinterpret_cast<decltype(about_)>(::dlsym(library, KEV_TEXT(unw_get_proc_info)));
  }
  bool is_there() const { return init_ != nullptr && step_ != nullptr && about_ != nullptr; }

  Found walk(ucontext_t* context) const {
    Found found;
    unw_cursor_t cursor;
    if (init_(&cursor, context, UNW_INIT_SIGNAL_FRAME) != 0) return found;
    for (int frame = 0; frame < 64; ++frame) {
      unw_proc_info_t info;
      const bool known = about_(&cursor, &info) == 0;
      if (known && frame == 1) found.caller = info.start_ip == reinterpret_cast<unw_word_t>(&call_stub);
      if (known && info.start_ip == reinterpret_cast<unw_word_t>(&entry)) found.entry = true;
      const int more = step_(&cursor);
      if (more > 0) continue;
      found.whole = more == 0;
      break;
    }
    return found;
  }

 private:
  int (*init_)(unw_cursor_t*, unw_context_t*, int) = nullptr;
  int (*step_)(unw_cursor_t*) = nullptr;
  int (*about_)(unw_cursor_t*, unw_proc_info_t*) = nullptr;
#else
  bool is_there() const { return false; }
  Found walk(ucontext_t*) const { return {}; }
#endif
};

// The compiler's own unwinder, from inside the handler.
struct CompilersWalk {
  unsigned long interrupted;
  bool behind_stub = false;
  Found found;
};

_Unwind_Reason_Code look(_Unwind_Context* frame, void* argument) {
  auto& walk = *static_cast<CompilersWalk*>(argument);
  const unsigned long function = _Unwind_GetRegionStart(frame);
  if (walk.behind_stub) walk.found.caller = function == reinterpret_cast<unsigned long>(&call_stub);
  walk.behind_stub = _Unwind_GetIP(frame) == walk.interrupted;
  if (function == reinterpret_cast<unsigned long>(&entry)) walk.found.entry = true;
  return _URC_NO_REASON;
}

Found compilers_walk(const ucontext_t* context) {
  CompilersWalk walk = {static_cast<unsigned long>(context->uc_mcontext.gregs[REG_RIP]), false, {}};
  walk.found.whole = _Unwind_Backtrace(look, &walk) == _URC_END_OF_STACK;
  return walk.found;
}

// What the steps found, by offset from the stub's beginning. One thread at a time.
struct Steps {
  bool visited[kMaxWindow] = {};
  int length[kMaxWindow] = {};  // of the instruction; 0: not known
  bool bad_libunwind[kMaxWindow] = {};
  bool bad_compiler[kMaxWindow] = {};
  int last = -1;

  void visit(ucontext_t* context);
  void stop() { last = -1; }
};

Steps* steps = nullptr;
const Libunwind* libunwind = nullptr;
std::atomic<bool> stepping{false};
// The offset at which the thread is to be cancelled; -1: nowhere.
int cancel_at = -1;

constexpr long long kTrapFlag = 0x100;

void Steps::visit(ucontext_t* context) {
  const long at = static_cast<long>(context->uc_mcontext.gregs[REG_RIP]) - reinterpret_cast<long>(kev_cp_start);
  if (at < 0 || at >= window()) {
    last = -1;
    return;
  }
  visited[at] = true;
  if (last >= 0 && at > last && at - last <= 15 && (length[last] == 0 || at - last < length[last]))
    length[last] = static_cast<int>(at) - last;
  last = static_cast<int>(at);
  if (libunwind->is_there() && !libunwind->walk(context).all()) bad_libunwind[at] = true;
  if (!compilers_walk(context).all()) bad_compiler[at] = true;
  if (cancel_at == at) ::pthread_cancel(::pthread_self());  // at once, as the type says
}

void on_trap(int, siginfo_t*, void* where) {
  auto* context = static_cast<ucontext_t*>(where);
  const bool leaves = context->uc_mcontext.gregs[REG_RIP] == reinterpret_cast<long long>(&kev_cp_cancelled) &&
                      self().disabled.load(std::memory_order_relaxed) == false && cancel_at == -2;
  if (stepping && !leaves) {
    context->uc_mcontext.gregs[REG_EFL] |= kTrapFlag;
    steps->visit(context);
  } else {
    context->uc_mcontext.gregs[REG_EFL] &= ~kTrapFlag;
    stepping = false;
    steps->stop();
  }
}

// Taken where a call in the stub ends.
void on_signal_at_end(int, siginfo_t*, void* where) { steps->visit(static_cast<ucontext_t*>(where)); }

// Destructors and cleanup handlers write here in the order in which they run.
char trace[8];
void note(char what) {
  const size_t length = std::strlen(trace);
  if (length + 1 < sizeof trace) trace[length] = what;
}
struct Noted {
  char what;
  ~Noted() { note(what); }
};

struct Call {
  unsigned long how = 0;
  long number, a = 0, b = 0, c = 0;
  bool steps = true;
  int type = PTHREAD_CANCEL_DEFERRED;
  bool pending = false;  // a request of which libc does not know
  long result = 4711;
};

[[gnu::noinline]] void make(Call& call) {
  const Noted inner{'1'};
  if (call.pending) ++self().requests;
  if (call.steps) {
    stepping = true;
    ::raise(SIGTRAP);
  }
  call.result = call_stub(call.how, call.number, call.a, call.b, call.c);
  stepping = false;
}

[[gnu::noinline]] void make_with_cleanup(Call& call) {
  const Noted outer{'3'};
  pthread_cleanup_push([](void*) { note('2'); }, nullptr);
  make(call);
  pthread_cleanup_pop(0);
}

[[gnu::noinline]] void* entry(void* argument) {
  auto& call = *static_cast<Call*>(argument);
  set_type(call.type);
  make_with_cleanup(call);
  set_type(PTHREAD_CANCEL_DEFERRED);
  return nullptr;
}

class UnwindTest : public ::testing::Test {
 protected:
  UnwindTest() {
    connect_libc();
    process::quiet = false;
    cancel::libunwind = &unwinder;
    cancel::steps = &steps;
    cancel_at = -1;
    stepping = false;
    struct sigaction action {};
    action.sa_sigaction = on_trap;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGTRAP, &action, &trap_before);
    action.sa_sigaction = on_signal_at_end;
    ::sigaction(SIGUSR1, &action, &usr1_before);
  }
  ~UnwindTest() override {
    ::sigaction(SIGTRAP, &trap_before, nullptr);
    ::sigaction(SIGUSR1, &usr1_before, nullptr);
    libc = {};
  }

  // Runs the call in a thread of its own; whether that was cancelled.
  bool run(Call& call, std::function<void(pthread_t)> meanwhile = {}) {
    std::memset(trace, 0, sizeof trace);
    steps.stop();
    pthread_t thread;
    EXPECT_EQ(0, ::pthread_create(&thread, nullptr, entry, &call));
    if (meanwhile) meanwhile(thread);
    timespec until;
    ::clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    void* result = nullptr;
    if (::pthread_timedjoin_np(thread, &result, &until) != 0) give_up("a thread does not end");
    return result == PTHREAD_CANCELED;
  }

  // Every way through the stub.
  void take_every_way() {
    Call plain{.number = SYS_getpid};
    EXPECT_FALSE(run(plain));
    EXPECT_EQ(::getpid(), plain.result);
    Call error{.number = SYS_close, .a = -1};
    EXPECT_FALSE(run(error));
    EXPECT_EQ(-EBADF, error.result);
    Call told{.how = kReturn, .number = SYS_getpid, .pending = true};
    EXPECT_FALSE(run(told));
    EXPECT_EQ(kCancelled, told.result);
    Call in_vain{.number = SYS_getpid, .pending = true};  // back into the stub, and out by the look at its end
    EXPECT_FALSE(run(in_vain));
    EXPECT_EQ(::getpid(), in_vain.result);
    // At the end of the call, before the first instruction behind it.
    Call signals{.number = SYS_tkill, .steps = false};
    const auto body = [](void* argument) -> void* {
      auto& call = *static_cast<Call*>(argument);
      call.a = os::thread_id();
      call.b = SIGUSR1;
      return entry(&call);
    };
    pthread_t thread;
    void* result;
    steps.stop();
    EXPECT_EQ(0, ::pthread_create(&thread, nullptr, body, &signals));
    EXPECT_EQ(0, ::pthread_join(thread, &result));
    EXPECT_EQ(0, signals.result);
    EXPECT_TRUE(steps.visited[kev_cp_end - kev_cp_start]);
  }

  // The instruction's length where no step went on to the next one.
  static int length_of_jump(const unsigned char* at) {
    switch (*at) {
      case 0xc3: return 1;                          // ret
      case 0xeb: return 2;                          // jmp, short
      case 0xe9: return 5;                          // jmp
      case 0x0f: return at[1] == 0x05 ? 2 : 0;      // syscall
      default: return 0;
    }
  }
  std::set<int> all_instructions() {
    std::set<int> all;
    for (int at = 0; at < window();) {
      all.insert(at);
      EXPECT_TRUE(steps.visited[at]) << "no step at offset " << at;
      int length = length_of_jump(reinterpret_cast<const unsigned char*>(kev_cp_start) + at);
      if (length == 0) length = steps.length[at];
      if (length == 0 && at == kev_cp_end - kev_cp_start) length = 7;  // where a signal has been, and no trap
      EXPECT_NE(0, length) << "the instruction at offset " << at << " has no known end";
      if (length == 0) break;
      at += length;
    }
    for (int at = 0; at < window(); ++at)
      if (steps.visited[at]) {
        EXPECT_EQ(1u, all.count(at)) << "a step at offset " << at << ", amid an instruction";
      }
    return all;
  }

  static std::string offsets(const bool (&bad)[kMaxWindow]) {
    std::string text;
    for (int at = 0; at < kMaxWindow; ++at)
      if (bad[at]) text += (text.empty() ? "" : " ") + std::to_string(at);
    return text;
  }

  Steps steps;
  Libunwind unwinder;
  struct sigaction trap_before {}, usr1_before {};
};

TEST_F(UnwindTest, EveryInstructionIsStepped) {
  take_every_way();
  const std::set<int> all = all_instructions();
  EXPECT_GE(all.size(), 20u);
  for (const char* label : {kev_cp_start, kev_cp_begin, kev_cp_end, kev_cp_redirect})
    EXPECT_EQ(1u, all.count(static_cast<int>(label - kev_cp_start)));
  std::printf("[          ] %zu instructions\n", all.size());
}

TEST_F(UnwindTest, TheCompilersUnwinderWalksFromEveryInstruction) {
  take_every_way();
  EXPECT_EQ("", offsets(steps.bad_compiler));
}

TEST_F(UnwindTest, LibunwindWalksFromEveryInstruction) {
#ifndef HAVE_LIBUNWIND
  GTEST_SKIP() << "built without libunwind";
#endif
  if (!unwinder.is_there()) GTEST_SKIP() << "no libunwind.so.8";
  take_every_way();
  EXPECT_EQ("", offsets(steps.bad_libunwind));
}

// A walk that is not right is found: in a frame that is not what the tables say.
TEST_F(UnwindTest, AWalkFromAWrongPlaceIsSeen) {
  static Found by_libunwind, by_compiler;
  struct sigaction action {};
  action.sa_flags = SA_SIGINFO;
  action.sa_sigaction = [](int, siginfo_t*, void* where) {
    ucontext_t context = *static_cast<ucontext_t*>(where);
    context.uc_mcontext.gregs[REG_RSP] += 8;  // as if the stub had pushed a word less than it says
    by_libunwind = libunwind->walk(&context);
    context.uc_mcontext.gregs[REG_RIP] += 1;
    by_compiler = compilers_walk(&context);
  };
  ::sigaction(SIGUSR1, &action, nullptr);
  Call call{.number = SYS_tkill, .steps = false};
  const auto body = [](void* argument) -> void* {
    auto& its = *static_cast<Call*>(argument);
    its.a = os::thread_id();
    its.b = SIGUSR1;
    return entry(&its);
  };
  pthread_t thread;
  void* result;
  ASSERT_EQ(0, ::pthread_create(&thread, nullptr, body, &call));
  ASSERT_EQ(0, ::pthread_join(thread, &result));
  if (unwinder.is_there()) {
    EXPECT_FALSE(by_libunwind.caller);
  }
  EXPECT_FALSE(by_compiler.caller);
  EXPECT_TRUE(by_compiler.entry);
}

class ForcedUnwindTest : public UnwindTest {
 protected:
  void SetUp() override {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "AddressSanitizer takes a stack that was unwound by cancellation for one in use";
#endif
  }
};

// The asynchronous type ends a thread wherever it is.
TEST_F(ForcedUnwindTest, AtEveryInstructionRunsWhatHasToRun) {
  take_every_way();
  const std::set<int> all = all_instructions();
  const Call ways[] = {
      {.number = SYS_getpid},
      {.how = kReturn, .number = SYS_getpid, .pending = true},
      {.number = SYS_getpid, .pending = true},
  };
  std::set<int> ended;
  for (int at : all) {
    for (const Call& way : ways) {
      cancel_at = at;
      Call call = way;
      call.type = PTHREAD_CANCEL_ASYNCHRONOUS;
      if (!run(call)) continue;
      ended.insert(at);
      EXPECT_STREQ("123", trace) << "at offset " << at;
    }
  }
  // Behind the system call's own instruction no trap comes.
  std::set<int> expected = all;
  expected.erase(static_cast<int>(kev_cp_end - kev_cp_start));
  EXPECT_EQ(expected, ended);
}

// In the call, by the C library's signal.
TEST_F(ForcedUnwindTest, InTheCallRunsWhatHasToRun) {
  Pipe pipe = make_pipe(O_CLOEXEC);
  char byte;
  for (int type : {PTHREAD_CANCEL_DEFERRED, PTHREAD_CANCEL_ASYNCHRONOUS}) {
    Call call{.number = SYS_read, .a = pipe.in.get(), .b = reinterpret_cast<long>(&byte), .c = 1, .steps = false};
    call.type = type;
    EXPECT_TRUE(run(call, [](pthread_t thread) {
      while (record_of(thread).inside.load() == 0) ::sched_yield();
      cancel(thread);
    }));
    EXPECT_STREQ("123", trace);
  }
}

// Sent back from the call by a cancellation, step by step: the stack can be walked there as well.
TEST_F(ForcedUnwindTest, FromTheCallByTheRedirectTarget) {
  Pipe pipe = make_pipe(O_CLOEXEC);
  char byte;
  cancel_at = -2;  // steps as far as kev_cp_cancelled
  Call call{.number = SYS_read, .a = pipe.in.get(), .b = reinterpret_cast<long>(&byte), .c = 1};
  EXPECT_TRUE(run(call, [](pthread_t thread) {
    while (record_of(thread).inside.load() == 0) ::sched_yield();
    for (timespec moment = {0, 20'000'000}; ::nanosleep(&moment, &moment) != 0;) {
    }
    cancel(thread);
  }));
  EXPECT_STREQ("123", trace);
  // A handler's return executes one instruction before the next trap.
  const auto redirect = kev_cp_redirect - kev_cp_start;
  EXPECT_TRUE(std::any_of(steps.visited + redirect, steps.visited + window(), [](bool one) { return one; }));
  EXPECT_EQ("", offsets(steps.bad_compiler));
  EXPECT_EQ("", offsets(steps.bad_libunwind));
}

// A request before the call, by libc's mark.
TEST_F(ForcedUnwindTest, BeforeTheCallRunsWhatHasToRun) {
  Call call{.number = SYS_getpid, .steps = false};
  const auto body = [](void* argument) -> void* {
    cancel(::pthread_self());
    return entry(argument);
  };
  std::memset(trace, 0, sizeof trace);
  pthread_t thread;
  void* result = nullptr;
  ASSERT_EQ(0, ::pthread_create(&thread, nullptr, body, &call));
  ASSERT_EQ(0, ::pthread_join(thread, &result));
  EXPECT_EQ(PTHREAD_CANCELED, result);
  EXPECT_STREQ("123", trace);
}

}  // namespace
}  // namespace kev::cancel

#endif
