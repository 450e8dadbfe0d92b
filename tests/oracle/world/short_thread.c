// A thread that lives for one operation: it waits, and ends by itself or by a cancellation, its own or the main thread's.
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "world.h"

enum Way {
  RETURNS, CANCELS_ITSELF, CANCELS_ITSELF_DISABLED, CANCELS_ITSELF_AT_ONCE, POLLS, READS, STARTS_A_SHELL, PAUSES,
};

struct Short {
  int way;
  unsigned array;
  int counter;
  int first;     // what its first poll() came to
  int reached;   // whether it came past where it was to end
  uint32_t began;
};

static void* live(void* argument) {
  struct Short* self = argument;
  struct pollfd entries[ENTRIES];
  nfds_t count = (nfds_t)world.length[self->array];
  for (unsigned i = 0; i < count; ++i) entries[i] = world.array[self->array][i];
  // Cancellation is looked at from here on only: what is told is always the same.
  int state;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
  for (int i = 0; i < 4; ++i) self->first = poll(entries, count, 0);
  __atomic_store_n(&self->began, 1, __ATOMIC_RELEASE);
  if (self->way == CANCELS_ITSELF_DISABLED) {
    pthread_cancel(pthread_self());
    self->reached += poll(entries, count, 0) == self->first;
  }
  if (self->way == CANCELS_ITSELF_AT_ONCE) {
    pthread_cancel(pthread_self());
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &state);
  }
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
  if (self->way == CANCELS_ITSELF) pthread_cancel(pthread_self());
  uint64_t value = 1;
  switch (self->way) {
    case RETURNS: return self;
    case POLLS:
      for (;;) poll(entries, count, 0);
    case READS:
      for (;;)
        if (write(self->counter, &value, sizeof value) < 0 || read(self->counter, &value, sizeof value) < 0) return self;
    case STARTS_A_SHELL: return system("exec sleep 100") < 0 ? NULL : self;
    case PAUSES:
      for (;;) pause();
    default: poll(entries, count, 0);
  }
  self->reached += 2;
  return self;
}

void op_thread(const int32_t* a) {
  if (world.shares_memory || world.bypassed) return say(0);
  static struct Short thread;
  thread = (struct Short){.way = a[1], .array = (unsigned)a[0] % ARRAYS, .counter = eventfd(0, EFD_NONBLOCK)};
  say(thread.counter);
  // Without a descriptor to spare, glibc cannot load what it ends threads with, and ends the program.
  if (thread.counter < 0) return;
  pthread_t id;
  int error = pthread_create(&id, NULL, live, &thread);
  say(error);
  if (error == 0) {
    while (__atomic_load_n(&thread.began, __ATOMIC_ACQUIRE) == 0) raw(SYS_sched_yield);
    if (thread.way >= POLLS) pthread_cancel(id);
    void* result = NULL;
    pthread_join(id, &result);
    say(result == PTHREAD_CANCELED);
    say(result == &thread);
    say(thread.first);
    say(thread.reached);
  }
  close(thread.counter);
}
