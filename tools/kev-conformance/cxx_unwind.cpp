// Cancellation and C++: on most systems a cancelled thread unwinds its stack as an exception does, so destructors run
// and catch (...) sees it. Built by Meson only; the table of these cases is in cases_cxx.c.
//
// No frame that is unwound here is noexcept.
extern "C" {
#include "conformance.h"
}

#include <pthread.h>
#include <unistd.h>

#include <cstring>

namespace {

char steps[32];
void step(const char *letter) { strncat(steps, letter, sizeof steps - strlen(steps) - 1); }

struct Guard {
  const char *letter;
  ~Guard() { step(letter); }
};

void *nested_objects(void *) {
  Guard outer{"1"};
  {
    Guard gone{"0"};
  }
  Guard inner{"2"};
  for (;;) sleep(10);
}

void *catch_and_rethrow(void *) {
  Guard outer{"1"};
  try {
    Guard inner{"2"};
    for (;;) sleep(10);
  } catch (...) {
    step("c");
    throw;
  }
}

void handler(void *letter) { step(static_cast<const char *>(letter)); }
char handler_letter[] = "h";

void *mixed(void *) {
  Guard outer{"1"};
  pthread_cleanup_push(handler, handler_letter);
  Guard inner{"2"};
  for (;;) sleep(10);
  pthread_cleanup_pop(0);
}

void expect(void *(*body)(void *), const char *wanted, result *result) {
  pthread_t thread;
  void *value = nullptr;
  steps[0] = 0;
  if (pthread_create(&thread, nullptr, body, nullptr) != 0) {
    result->outcome = OUTCOME_SKIP;
    return;
  }
  usleep(20000);
  pthread_cancel(thread);
  pthread_join(thread, &value);
  if (value == PTHREAD_CANCELED && strcmp(steps, wanted) == 0) return;
  result->outcome = OUTCOME_FAIL;
  snprintf(result->message, sizeof result->message, "%s, and the steps were %s instead of %s",
           value == PTHREAD_CANCELED ? "cancelled" : "not cancelled", steps, wanted);
}

}  // namespace

extern "C" {
void cxx_destructors(result *result) { expect(nested_objects, "021", result); }
void cxx_rethrow(result *result) { expect(catch_and_rethrow, "2c1", result); }
void cxx_order(result *result) { expect(mixed, "2h1", result); }
}
