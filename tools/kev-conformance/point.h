// What a cancellation point is to this program: how to bring a thread into the call, how to let the call succeed, and
// how to tell afterwards that its effect happened.
//
// The hooks of a point know nothing of cancellation; the properties (property.h) know nothing of the calls. All
// hooks but `call` run in the main thread. A point file exports one table, ended by an entry without a name.
#ifndef POINT_H
#define POINT_H

#include "conformance.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

enum point_flags {
  POINT_BLOCKS = 1,          // the call blocks after setup, until `succeed`
  POINT_EFFECT = 2,          // `effect` can tell whether the call did its work
  POINT_LATE = 4,            // `succeed` needs a thread that is already in the call
  POINT_TIMED = 8,           // the call ends by itself: soon if the trial is `brief`, in ten seconds if not
  POINT_DESCRIPTOR = 16,     // the call makes a descriptor, which leaks if it is lost
  POINT_OPTIONAL = 32,       // the standard permits the call to be a point without demanding it
  POINT_EINTR_DONE = 64,     // what the call leaves after EINTR is unspecified: a loss is a matter of quality
  POINT_EINTR_GOES_ON = 128, // after EINTR the work goes on by itself: what is found done later is no loss
  POINT_ENDS_EINTR = 256,    // success is -1 with EINTR: a handler has run (pause, sigsuspend)
};

// One thread in one call. Everything starts as zero, the descriptors as -1; they are closed after `teardown`.
struct trial {
  const struct point *point;
  // Asked for by the property, before the thread starts.
  int state, type;      // cancelability of the thread
  bool cancel_self;     // the thread cancels itself just before the call
  bool brief;           // a POINT_TIMED call takes about 100 ms
  bool batch;           // the thread does not preempt the one that wakes it
  bool repeat_on_eintr; // the thread makes the call again if it ended with EINTR
  bool keep_leaks;      // `effect` leaves a descriptor open that nobody was told of
  atomic_llong start_at; // the thread spins until this time (ns) before the call; 0: it does not; -1: not known yet
  // What the thread tells.
  pthread_t thread;
  atomic_int tid, entered, returned, ended;
  long value; // what the call returned, and errno: valid if `returned`
  int error;
  // For the hooks.
  bool ready; // `succeed` was called
  int fd[4];
  int number, saved;
  pid_t child;
  char path[200];
  char buffer[64];
  void *extra;
  sem_t semaphore;
  pthread_mutex_t mutex;
  pthread_cond_t condition;
  pthread_t other;
  const char *why; // `setup` failed: the reason
};

struct point {
  const char *name;
  enum kind kind;
  const char *clause; // which document makes it a cancellation point
  unsigned flags;
  const char *lost; // what a loss means, as the end of "lost N times: ..."
  bool (*setup)(struct trial *);   // false: the point cannot be tried here; `why` tells
  void (*call)(struct trial *);    // in the thread: makes the call, stores value and error
  void (*succeed)(struct trial *); // lets the call return with success
  bool (*effect)(struct trial *);  // after `succeed` and the end of the thread: has the call done its work?
  void (*teardown)(struct trial *);
  const char *file; // filled in by the table of cases
};

#define POSIX_2017 "POSIX.1-2017 XSH 2.9.5.2"
#define POSIX_2024 "POSIX.1-2024 XSH 2.9.5.2"
#define GLIBC_EXTRA "glibc manual 4.6; pthreads(7)"

// Stores what a call returned. The call is evaluated first.
#define TRIAL_CALL(t, expression)        \
  do {                                   \
    errno = 0;                           \
    (t)->value = (long)(expression);     \
    (t)->error = errno;                  \
  } while (0)

// The same for a function that returns an error number.
#define TRIAL_ERROR_CALL(t, expression)    \
  do {                                     \
    (t)->error = (expression);             \
    (t)->value = (t)->error == 0 ? 0 : -1; \
  } while (0)

#ifdef EMBED_HEADERS
EMBED_SOURCE(point_h);
#endif

#endif
