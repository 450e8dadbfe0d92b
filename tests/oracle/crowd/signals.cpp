// The handlers: of SIGUSR1, and with SA_RESTART of SIGUSR2. They poll the array that the thread waits with, leave the wait
// by a jump, or only return.
#include <cerrno>

#include "consumer.hpp"
#include "figures.hpp"

namespace crowd {

namespace {

void handle(int) {
  Consumer* consumer = self;
  if (consumer == nullptr) return;
  int error = errno;
  // What the interrupted code has just taken must not go with the thread.
  int state;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
  consumer->handled = consumer->handled + 1;
  if (consumer->shut != 0 && consumer->inside == 0) fail("a signal came through the mask");
  Array* array = consumer->waiting_with;
  unsigned what = static_cast<unsigned>(consumer->handled) % 5;
  if (array != nullptr && (what == 1 || what == 3)) poll(array->entries, array->count, what == 1 ? 0 : 1);
  if (array != nullptr && consumer->may_jump != 0 && what >= 3) {
    consumer->may_jump = 0;
    consumer->waiting_with = nullptr;
    siglongjmp(consumer->jump, 1);
  }
  pthread_setcancelstate(state, nullptr);
  errno = error;
}

}  // namespace

void install_handlers() {
  struct sigaction action = {};
  action.sa_handler = handle;
  sigemptyset(&action.sa_mask);
  sigaction(SIGUSR1, &action, nullptr);
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR2, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

}  // namespace crowd
