// The stub by itself: what it returns, what it leaves alone, and what a request before the call does.
#include "cancel/stub.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>

#include "cancel/canceller.hpp"
#include "cancel/handler.hpp"
#include "cancel/record.hpp"
#include "cancel/request.hpp"
#include "os/pid.hpp"
#include "os/thread.hpp"
#include "support/descriptor.hpp"
#include "support/libc_cancel.hpp"
#include "support/signals.hpp"
#include "support/stopwatch.hpp"
#include "support/stub_call.hpp"
#include "support/target.hpp"

namespace kev::cancel {
namespace {

using namespace conformance;
using namespace unit;

constexpr int kErrno = 4242;
constexpr long kPage = 4096;

// Each case with no request ever, with one that was looked at before (the way out by kev_cp_returned), and with one
// that changes nothing, as when cancellation is disabled (the way by kev_cp_cancelled).
enum class Past { none, seen, unseen };

class StubTest : public ::testing::TestWithParam<Past> {
 protected:
  StubTest() {
    libc = {};
    if (GetParam() != Past::none) request();
    if (GetParam() == Past::seen) how = settle();
    errno = kErrno;
  }
  ~StubTest() override {
    EXPECT_EQ(kErrno, errno);
    EXPECT_EQ(0u, self().inside.load());
    self().requests = 0;
    self().settled = 0;
    libc = {};
  }
  // As a canceller's, of which libc knows nothing.
  static void request() { ++self().requests; }

  template <typename... Argument>
  long call(long number, Argument... arguments) {
    return by_stub_how(how, number, arguments...);
  }

  unsigned long how = 0;
};

TEST_P(StubTest, ReturnsTheKernelsValue) {
  EXPECT_EQ(by_kernel(SYS_getpid), call(SYS_getpid));
  EXPECT_EQ(by_kernel(SYS_gettid), call(SYS_gettid));
  // A value that would be an error in 32 bits: an address.
  const long address = call(SYS_mmap, nullptr, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_GT(address, 0xffffffffl);
  EXPECT_EQ(0, call(SYS_munmap, address, kPage));
  EXPECT_EQ(kErrno, errno);
}

TEST_P(StubTest, ReturnsErrorsAsNegativeNumbers) {
  char byte;
  EXPECT_EQ(-EBADF, call(SYS_read, -1, &byte, 1));
  EXPECT_EQ(-EFAULT, call(SYS_pipe2, 8, 0));
  EXPECT_EQ(-ENOSYS, call(100'000));
  EXPECT_EQ(-ENOENT, call(SYS_openat, AT_FDCWD, "/nowhere/at/all", O_RDONLY, 0));
}

// mmap and copy_file_range use all six, and their effect tells each.
TEST_P(StubTest, HandsAllSixArgumentsOn) {
  const Descriptor file(::memfd_create("six", MFD_CLOEXEC));
  ASSERT_EQ(0, ::ftruncate(file.get(), 4 * kPage));
  ASSERT_EQ(5, ::pwrite(file.get(), "third", 5, 2 * kPage));
  void* room = ::mmap(nullptr, 4 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char* wanted = static_cast<char*>(room) + kPage;
  errno = kErrno;
  EXPECT_EQ(word(wanted), call(SYS_mmap, wanted, 2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file.get(),
                               2 * kPage));
  EXPECT_STREQ("third", wanted);
  std::memcpy(wanted + kPage, "fourth", 6);
  char text[8] = {};
  EXPECT_EQ(6, ::pread(file.get(), text, 6, 3 * kPage));
  EXPECT_STREQ("fourth", text);

  const Descriptor copy(::memfd_create("copy", MFD_CLOEXEC));
  long from = 3 * kPage + 2, to = 7;
  EXPECT_EQ(4, call(SYS_copy_file_range, file.get(), &from, copy.get(), &to, 4, 0));
  EXPECT_EQ(3 * kPage + 6, from);
  EXPECT_EQ(11, to);
  EXPECT_EQ(4, ::pread(copy.get(), text, 4, 7));
  EXPECT_EQ(0, std::memcmp("urth", text, 4));
  EXPECT_EQ(-EINVAL, call(SYS_copy_file_range, file.get(), &from, copy.get(), &to, 4, 99));
  ::munmap(room, 4 * kPage);
}

TEST_P(StubTest, LetsThroughWhatTheKernelWritesAndReads) {
  Pipe pipe = make_pipe();
  char parts[2][3] = {};
  iovec in[2] = {{parts[0], 2}, {parts[1], 2}};
  EXPECT_EQ(-EAGAIN, call(SYS_readv, pipe.in.get(), in, 2));
  EXPECT_EQ(4, call(SYS_write, pipe.out.get(), "abcd", 4));
  EXPECT_EQ(4, call(SYS_readv, pipe.in.get(), in, 2));
  EXPECT_STREQ("ab", parts[0]);
  EXPECT_STREQ("cd", parts[1]);
  timespec time = {0, 1000};
  EXPECT_EQ(0, call(SYS_pselect6, 0, nullptr, nullptr, nullptr, &time, nullptr));
  errno = kErrno;
}

// The callee's registers are a C function's: what the caller keeps in its own survives.
TEST_P(StubTest, KeepsTheCallersRegisters) {
  long sum = 0, values[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  for (int round = 0; round < 1000; ++round) {
    const long number = call(SYS_getppid);
    for (long& value : values) sum += value += number != 0;
  }
  EXPECT_EQ(8 * 1000l * 1001 / 2 + 36 * 1000, sum);
}

std::string past_of(const ::testing::TestParamInfo<Past>& past) {
  return past.param == Past::none ? "NoRequest" : past.param == Past::seen ? "SeenRequest" : "UnseenRequest";
}
INSTANTIATE_TEST_SUITE_P(With, StubTest, ::testing::Values(Past::none, Past::seen, Past::unseen), past_of);

class RequestTest : public ::testing::Test {
 protected:
  RequestTest() { libc = {}; }
  ~RequestTest() override {
    self().requests = 0;
    self().settled = 0;
  }
  static void request() { ++self().requests; }
};

TEST_F(RequestTest, BeforeTheCallIsTold) {
  Pipe pipe = make_pipe();
  request();
  errno = kErrno;
  EXPECT_EQ(kCancelled, by_stub_how(kReturn, SYS_write, pipe.out.get(), "x", 1));
  EXPECT_EQ(kErrno, errno);
  EXPECT_EQ(0u, self().inside.load());
  EXPECT_EQ(0u, drain(pipe.in.get()));
}

TEST_F(RequestTest, ThatWasLookedAtIsNotToldAgain) {
  Pipe pipe = make_pipe();
  request();
  EXPECT_EQ(kCancelled, by_stub_how(kReturn, SYS_write, pipe.out.get(), "x", 1));
  unsigned seen = settle();
  EXPECT_EQ(self().requests.load(), seen);
  EXPECT_EQ(1, by_stub_how(kReturn | seen, SYS_write, pipe.out.get(), "x", 1));
  EXPECT_EQ(1u, drain(pipe.in.get()));
  request();
  EXPECT_EQ(kCancelled, by_stub_how(kReturn | seen, SYS_write, pipe.out.get(), "x", 1));
  EXPECT_EQ(kCancelled, by_stub_how(kReturn, SYS_write, pipe.out.get(), "x", 1));
  EXPECT_EQ(1, by_stub_how(kReturn | settle(), SYS_write, pipe.out.get(), "x", 1));
}

// Whatever the number of requests is: all 32 bits count, and no more.
TEST_F(RequestTest, AreToldApartToTheLastBit) {
  for (unsigned requests : {1u, 0x7fffffffu, 0x80000000u, 0xfffffffeu, 0xffffffffu}) {
    self().requests = requests;
    EXPECT_EQ(by_kernel(SYS_getpid), by_stub_how(kReturn | settle(), SYS_getpid)) << requests;
    EXPECT_EQ(kCancelled, by_stub_how(kReturn | (requests - 1), SYS_getpid)) << requests;
    EXPECT_EQ(kCancelled, by_stub_how(kReturn | (requests ^ 0x80000000u), SYS_getpid)) << requests;
  }
}

namespace nested {

constinit std::atomic<int> runs{0};
constinit std::atomic<uintptr_t> around{0}, during{0}, after{0};
int zero = -1;

uintptr_t inside() { return self().inside.load(); }

void handler(int) {
  around = inside();
  timespec no_time = {0, 0};
  by_stub(SYS_pselect6, 0, nullptr, nullptr, nullptr, &no_time, nullptr);
  char byte;
  by_stub(SYS_read, zero, &byte, 1);
  after = inside();
  ++runs;
}

}  // namespace nested

#ifdef __SANITIZE_THREAD__
#define KEV_NEEDS_HANDLERS GTEST_SKIP() << "ThreadSanitizer keeps signals back until a call of its own"
#else
#define KEV_NEEDS_HANDLERS static_cast<void>(0)
#endif

TEST(NestedStubTest, AHandlersCallPutsBackWhatItFound) {
  KEV_NEEDS_HANDLERS;
  libc = {};
  nested::zero = ::open("/dev/zero", O_RDONLY | O_CLOEXEC);
  Pipe pipe = make_pipe(O_CLOEXEC);
  for (int flags : {0, SA_RESTART}) {
    Handler handler(SIGALRM, nested::handler, flags);
    RepeatedAlarm alarm(3);
    nested::runs = 0;
    std::thread writer([&] {
      while (nested::runs < 5) sleep_ns(kMillisecond);
      put(pipe.out.get());
    });
    char byte;
    long result;
    do result = by_stub(SYS_read, pipe.in.get(), &byte, 1);
    while (result == -EINTR);
    writer.join();
    EXPECT_EQ(1, result);
    EXPECT_NE(0u, nested::around.load());
    EXPECT_EQ(nested::around.load(), nested::after.load());
    EXPECT_EQ(0u, self().inside.load());
  }
  ::close(nested::zero);
}

// A thread reads a pipe through the stub while signals rain on it; no byte is lost or comes twice.
class StormTest : public ::testing::Test {
 protected:
  static constexpr std::int64_t kTime = 1200 * kMillisecond;

  static inline std::atomic<long> handled{0};

  // Sends by `send` until the time is over; what the reader saw is checked byte by byte.
  template <typename Send>
  void storm(Send send) {
    Pipe pipe = make_pipe(O_CLOEXEC);
    std::atomic<bool> stop{false}, started{false};
    std::atomic<int> reader_id{0};
    long received = 0, wrong = 0, interrupted = 0, other = 0;
    Target reader([&] {
      disable();
      reader_id = os::thread_id();
      started = true;
      unsigned char expected = 0, buffer[3];
      for (;;) {
        const long size = by_stub(SYS_read, pipe.in.get(), buffer, sizeof buffer);
        if (size == 0) break;
        if (size == -EINTR) ++interrupted;
        else if (size < 0) ++other;
        for (long i = 0; i < size; ++i) wrong += buffer[i] != expected++;
        if (size > 0) received += size;
      }
    });
    wait_for(started);
    long sent_bytes = 0;
    std::thread writer([&] {
      Jitter jitter;
      unsigned char next = 0;
      while (!stop) {
        unsigned char bytes[2] = {next, static_cast<unsigned char>(next + 1)};
        const long size = ::write(pipe.out.get(), bytes, 1 + next % 2);
        next = static_cast<unsigned char>(next + size);
        sent_bytes += size;
        jitter.pass(3000);
        // Often the reader has to be asleep.
        int left = 0;
        while (next % 8 < 2 && !stop && ::ioctl(pipe.out.get(), FIONREAD, &left) == 0 && left != 0) ::sched_yield();
      }
      pipe.out.close();
    });
    const Stopwatch watch;
    Jitter pause;
    long sent = 0;
    while (watch.elapsed() < kTime) {
      for (int i = 0; i < 100; ++i) {
        send(reader.thread(), reader_id.load());
        pause.pass(1000);
      }
      sent += 100;
    }
    stop = true;
    writer.join();
    reader.join();
    EXPECT_EQ(0, wrong);
    EXPECT_EQ(0, other);
    EXPECT_EQ(sent_bytes, received);
    EXPECT_GT(received, 0);
    std::printf("[          ] %ld signals sent, %ld handled, %ld times EINTR, %ld bytes\n", sent, handled.load(),
                interrupted, received);
    interruptions = interrupted;
  }

  static void count(int) { ++handled; }
  // libc's handler stands, and ours in front of it.
  static void set_handler() {
    connect_libc();
    Target([] {
      for (;;) check();
    }).cancel();
  }
  long interruptions = 0;
};

TEST_F(StormTest, OfHandlersThatRestart) {
  KEV_NEEDS_HANDLERS;
  libc = {};
  Handler handler(SIGUSR1, count, SA_RESTART);
  storm([](pthread_t thread, int) { ::pthread_kill(thread, SIGUSR1); });
  EXPECT_GT(handled, 0);
  EXPECT_EQ(0, interruptions);
}

TEST_F(StormTest, OfHandlersThatInterrupt) {
  KEV_NEEDS_HANDLERS;
  libc = {};
  Handler handler(SIGUSR1, count, 0);
  storm([](pthread_t thread, int) { ::pthread_kill(thread, SIGUSR1); });
  EXPECT_GT(interruptions, 0);
}

// The signal that sends a thread back to look, again and again, with nothing to find.
TEST_F(StormTest, OfOurOwnSignal) {
  set_handler();
  storm([](pthread_t thread, int id) {
    // One at a time: they queue up, and would leave the thread no time to read.
    const Record& record = record_of(thread);
    const unsigned before = record.requests;
    os::signal_thread(os::getpid(), id, kSignal);
    for (int tries = 0; tries < 100 && record.requests == before; ++tries) ::sched_yield();
  });
  EXPECT_EQ(0, interruptions);
  libc = {};
}

// Being sent back costs no stack, however often.
TEST_F(StormTest, LeavesTheStackAsItWas) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer's functions do not end with a jump";
#endif
  set_handler();
  Pipe pipe = make_pipe(O_CLOEXEC);
  std::atomic<Record*> record{nullptr};
  std::atomic<int> id{0};
  Target reader([&] {
    disable();
    id = os::thread_id();
    record = &self();
    char byte;
    EXPECT_EQ(1, by_stub(SYS_read, pipe.in.get(), &byte, 1));
  });
  while (record.load() == nullptr || record.load()->inside == 0) ::sched_yield();
  const uintptr_t frame = record.load()->inside;
  for (unsigned i = 1; i <= 2000; ++i) {
    os::signal_thread(os::getpid(), id, kSignal);
    while (record.load()->requests != i) ::sched_yield();
  }
  uintptr_t now;
  while ((now = record.load()->inside) == 0) ::sched_yield();
  EXPECT_EQ(frame, now);
  put(pipe.out.get());
  reader.join();
  libc = {};
}

}  // namespace
}  // namespace kev::cancel
