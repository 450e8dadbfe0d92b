// Threads that wait, are cancelled, and give way to each other.
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <atomic>

#include "support/shown.hpp"

using namespace scenario;

namespace {

int empty_pipe[2];
std::atomic<bool> stands{false};
std::atomic<int> cleaned{0};

pthread_t start(void* (*body)(void*), void* argument = nullptr) {
  pthread_t thread;
  stands = false;
  CHECK(::pthread_create(&thread, nullptr, body, argument) == 0);
  while (!stands) pause_us(100);
  pause_us(1000);
  return thread;
}

void show_end(const char* what, pthread_t thread) {
  void* result = nullptr;
  CHECK(::pthread_join(thread, &result) == 0);
  print("%s: %s, %d cleaned up\n", what, result == PTHREAD_CANCELED ? "cancelled" : "returned", cleaned.load());
}

void count_cleaned(void*) { ++cleaned; }

struct Array {
  pollfd fds[4];
  Array() {
    for (pollfd& entry : fds) entry = {::eventfd(0, EFD_NONBLOCK), POLLIN, 0};
  }
  void close() {
    for (pollfd& entry : fds) ::close(entry.fd);
  }
};

// A request that cannot be delivered is told, and stands: the thread ends at its next cancellation point, which it
// comes to when it is woken.
void cancel(const char* what, pthread_t thread, int waker) {
  int error = ::pthread_cancel(thread);
  if (error != 0 && is_shown(error)) {
    put(waker);
    error = 0;
  }
  print("%s: %d\n", what, error);
  show_end(what, thread);
}

void* read_for_ever(void*) {
  pthread_cleanup_push(count_cleaned, nullptr);
  stands = true;
  char byte;
  for (;;) CHECK(::read(empty_pipe[0], &byte, 1) == 1 || is_shown(errno));
  pthread_cleanup_pop(0);
}

void* poll_for_ever(void* array) {
  auto* fds = static_cast<Array*>(array)->fds;
  for (int i = 0; i < 4; ++i) CHECK(::poll(fds, 4, 0) == 0);
  pthread_cleanup_push(count_cleaned, nullptr);
  stands = true;
  for (;;) CHECK(::poll(fds, 4, -1) == 1 || is_shown(errno));
  pthread_cleanup_pop(0);
}

void* poll_until_ready(void* array) {
  auto* fds = static_cast<Array*>(array)->fds;
  for (int i = 0; i < 4; ++i) CHECK(::poll(fds, 4, 0) == 0);
  stands = true;
  while (::poll(fds, 4, -1) < 0) CHECK(is_shown(errno));
  CHECK(fds[2].revents == POLLIN);
  return nullptr;
}

}  // namespace

SCENARIO(cancelled) {
  CHECK(::pipe(empty_pipe) == 0);
  for (int i = 0; i < 2; ++i) {
    const pthread_t thread = start(read_for_ever);
    cancel("read", thread, empty_pipe[1]);
  }
  Array array;
  for (int i = 0; i < 2; ++i) {
    const pthread_t thread = start(poll_for_ever, &array);
    cancel("poll", thread, array.fds[0].fd);
    unsigned long value;
    CHECK(::read(array.fds[0].fd, &value, sizeof value) > 0 || errno == EAGAIN);
  }
  show_polls("after them", array.fds);
  const pthread_t thread = start(poll_until_ready, &array);
  put(array.fds[2].fd);
  show_end("poll", thread);
  show_polls("ready", array.fds);
  show_open_descriptors();
}

namespace {

std::atomic<bool> asked{false};

// Stays until the request has come, which is then for the call below.
void stay(int) {
  stands = true;
  while (!asked) pause_us(200);
}

void* shell(void*) {
  pthread_cleanup_push(count_cleaned, nullptr);
  stands = true;
  (void)!::system("exec sleep 1");
  for (;;) pause_us(1000);  // the request could not be delivered
  pthread_cleanup_pop(0);
}

}  // namespace

SCENARIO(cancelled_elsewhere) {
  CHECK(::pipe(empty_pipe) == 0);
  ::signal(SIGUSR1, stay);
  const pthread_t reader = start(read_for_ever);
  stands = false;
  CHECK(::pthread_kill(reader, SIGUSR1) == 0);
  while (!stands) pause_us(100);
  const int error = ::pthread_cancel(reader);
  asked = true;
  if (error != 0 && is_shown(error)) put(empty_pipe[1]);
  print("in a handler: %d\n", is_shown(error) ? 0 : error);
  show_end("in a handler", reader);
  const pthread_t waiter = start(shell);
  pause_us(20'000);
  cancel("in system()", waiter, empty_pipe[1]);
  show_open_descriptors();
}

// One thread sleeps in its array while another meets the descriptor limit and polls.
SCENARIO(at_the_limit) {
  Array mine, its;
  show_polls("quiet", mine.fds);
  const pthread_t thread = start(poll_until_ready, &its);
  rlimit limit;
  CHECK(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = 100;
  CHECK(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  show_polls("limited", mine.fds);
  int last = -1;
  for (int fd; (fd = ::dup(1)) >= 0;) last = fd;
  print("the last is %d, errno %d\n", last, errno);
  put(its.fds[2].fd);
  show_end("poll", thread);
  show_polls("quiet", mine.fds);
  show_polls("ready", its.fds);
  for (int fd = last; fd > last - 20; --fd) ::close(fd);
  show_open_descriptors();
}

SCENARIO_MAIN
