// Small things every case needs: verdicts, time, descriptors, and the life of one trial's thread.
//
// Not thread-safe unless said so: the main thread of a case calls them.
#ifndef SUPPORT_H
#define SUPPORT_H

#include "embed.h"
#include "point.h"

#define PRINTF_LIKE(string, first) __attribute__((__format__(__printf__, string, first)))

// Verdicts. Each sets outcome and message; the last call counts. They return nothing: the case goes on or returns.
void pass(struct result *result, const char *format, ...) PRINTF_LIKE(2, 3);
void fail(struct result *result, const char *format, ...) PRINTF_LIKE(2, 3);
void skip(struct result *result, const char *format, ...) PRINTF_LIKE(2, 3);
void inform(struct result *result, const char *format, ...) PRINTF_LIKE(2, 3);
void not_built(struct result *result, const char *format, ...) PRINTF_LIKE(2, 3);
void hang(struct result *result, const char *format, ...) PRINTF_LIKE(2, 3);

// Fails the case and leaves the function if the condition does not hold.
#define REQUIRE(result, condition, ...) \
  do {                                  \
    if (!(condition)) {                 \
      fail(result, __VA_ARGS__);        \
      return;                           \
    }                                   \
  } while (0)

int64_t now_ns(void);           // CLOCK_MONOTONIC; any thread
void spin_until(int64_t at_ns); // burns CPU; any thread
void sleep_ms(int milliseconds); // not interrupted by signals; any thread, but a cancellation point
unsigned random_below(unsigned bound);
bool wait_for(atomic_int *flag, int value, int milliseconds); // false: the flag did not get the value in time

void set_nonblocking(int fd);
int count_descriptors(void);
int lowest_free_descriptor(void);
bool drain_finds(int fd, char mark); // reads all there is from a pipe or socket: was `mark` in it?
void scratch_path(struct trial *t, const char *name); // sets t->path to a path in the directory of this case

extern char scratch_directory[128]; // exists while the case runs, and is removed after it
bool scratch_make(void);
void scratch_remove(void);
extern int *shared_queue_id;        // a System V queue and a semaphore, to be removed if the case is killed; or -1

// The life of a trial. `trial_begin` initialises it and calls setup: false means that the result was set to skip.
bool trial_begin(struct trial *t, const struct point *point, struct result *result);
bool trial_start(struct trial *t); // creates the thread
void trial_succeed(struct trial *t);
bool trial_wait_blocked(struct trial *t); // until the thread sleeps in the call; false: it did not in five seconds
bool trial_block(struct trial *t, struct result *result); // the same, and a verdict if it did not
bool trial_wait_ended(struct trial *t, int milliseconds);
bool trial_join(struct trial *t); // true: it was cancelled
void trial_end(struct trial *t);  // teardown; closes the descriptors

bool thread_sleeps(int tid); // state S in /proc/self/task
bool thread_is_cancelled(pthread_t thread, struct result *result, const char *who); // joins; sets a failure if not

void warm_up(void); // the first cancellation of a process loads the unwinder: have that behind us
const char *error_name(int error);

#ifdef EMBED_HEADERS
EMBED_SOURCE(support_h);
#endif

#endif
