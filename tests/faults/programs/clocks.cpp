// Waits across a jump of the clock, on which they are measured: a time namespace moves the process's own clocks.
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/select.h>

#include "support/process.hpp"
#include "support/raw.hpp"
#include "support/watched.hpp"

using namespace scenario;

namespace {

constexpr int kNoNamespaces = 77;

// The clocks that count from the machine's start go to where they are `seconds` ahead, which may be negative.
void jump(long seconds) {
  char text[128];
  const int length = ::snprintf(text, sizeof text, "monotonic %ld 0\nboottime %ld 0\n", seconds, seconds);
  if (::unshare(CLONE_NEWTIME) != 0) ::_exit(kNoNamespaces);
  const int offsets = ::open("/proc/self/timens_offsets", O_WRONLY);
  if (offsets < 0 || ::write(offsets, text, static_cast<size_t>(length)) != length) ::_exit(kNoNamespaces);
  ::close(offsets);
  const int space = ::open("/proc/self/ns/time_for_children", O_RDONLY);
  const long before = now_us();
  if (space < 0 || ::setns(space, CLONE_NEWTIME) != 0) ::_exit(kNoNamespaces);
  ::close(space);
  const long moved = (now_us() - before) / 1'000'000;
  CHECK(moved >= seconds - 2 && moved <= seconds + 2);
}

void expect_time(long from_us, long us) {
  const long took = now_us() - from_us;
  if (took < us - 1000 || took > us + 2'000'000) ::dprintf(2, "%ld us instead of %ld\n", took, us);
  CHECK(took >= us - 1000 && took <= us + 2'000'000);
}

void check_waits(Watched& watched) {
  watched.exercise();
  for (int ms : {2, 30, 120}) {
    const long from = now_us();
    CHECK(watched.poll(ms) == 0);
    expect_time(from, ms * 1000);
  }
  fd_set in;
  FD_ZERO(&in);
  for (int i = 0; i < 4; ++i) {
    for (const pollfd& entry : watched.fds) FD_SET(entry.fd, &in);
    const long from = now_us();
    timeval time = {0, 20'000};
    CHECK(::select(watched.fds.back().fd + 1, &in, nullptr, nullptr, &time) == 0);
    expect_time(from, 20'000);
    CHECK(time.tv_sec == 0 && time.tv_usec == 0);
  }
}

// A number that a bare system call gave to another file is noticed after some milliseconds, and not after the jump.
void check_unseen_reuse(Watched& watched) {
  watched.expect({});
  int pipe[2];
  CHECK(::pipe(pipe) == 0 && ::write(pipe[1], "x", 1) == 1);
  CHECK(raw_call(SYS_dup3, pipe[0], watched.fds[3].fd, 0) == watched.fds[3].fd);
  const long from = now_us();
  while (watched.poll(0) == 0) CHECK(now_us() - from < 1'000'000);
  watched.expect({3});
}

void across(long seconds) {
  Watched watched;
  check_waits(watched);
  jump(seconds);
  check_unseen_reuse(watched);
  Watched others;
  check_waits(others);
}

}  // namespace

SCENARIO(forward) { across(100'000'000); }

// To just behind the machine's start.
SCENARIO(back) { across(-(now_us() / 1'000'000) + 5); }

namespace {

const char* stamp_file = nullptr;

// libfaketime reads it at each look at the clock.
void fake(const char* offset) {
  const int fd = ::open(stamp_file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  CHECK(fd >= 0 && ::write(fd, offset, ::strlen(offset)) > 0);
  ::close(fd);
}

long raw_now_us() {
  timespec now;
  raw_call(SYS_clock_gettime, CLOCK_MONOTONIC, reinterpret_cast<long>(&now));
  return now.tv_sec * 1'000'000 + now.tv_nsec / 1000;
}

void* fake_soon(void* offset) {
  raw_pause(10'000);
  fake(static_cast<const char*>(offset));
  return nullptr;
}

}  // namespace

// Under libfaketime, whose clocks jump while a wait sleeps: it takes the time that it should.
SCENARIO(faked) {
  stamp_file = ::getenv("FAKETIME_TIMESTAMP_FILE");
  CHECK(stamp_file != nullptr);
  fake("+0d");
  Watched watched;
  watched.exercise();
  for (const char* offset : {"+30d", "+1d", "-20d", "+0d"}) {
    pthread_t thread;
    CHECK(::pthread_create(&thread, nullptr, fake_soon, const_cast<char*>(offset)) == 0);
    const long from = raw_now_us();
    CHECK(watched.poll(60) == 0);
    const long took = raw_now_us() - from;
    CHECK(took >= 59'000 && took < 2'000'000);
    CHECK(::pthread_join(thread, nullptr) == 0);
    watched.exercise();
    say("%s\n", offset);
  }
}

SCENARIO_MAIN
