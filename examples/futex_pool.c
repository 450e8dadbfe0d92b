/* A pool of workers: jobs by a lock-free counter and a futex that the workers sleep on; the main thread waits for their
 * results, for a timer and for the end, all in its queue. A worker needs no queue and no descriptor: a word will do.
 *
 *   futex_pool [JOBS]
 */
#define _GNU_SOURCE
#include <kev/kev.h>

#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define WORKERS 4

static _Atomic uint32_t jobs;  /* given out so far: workers sleep on it */
static _Atomic uint32_t taken; /* of these */
static _Atomic uint32_t done;  /* the main thread's queue waits for it */
static _Atomic uint64_t sum;
static _Atomic int ending;

static void futex_wait(_Atomic uint32_t *word, uint32_t value) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}
static void futex_wake(_Atomic uint32_t *word, int count) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static void *work(void *unused) {
  (void)unused;
  for (;;) {
    uint32_t mine = atomic_load(&taken), all = atomic_load(&jobs);
    if (mine == all) {
      if (atomic_load(&ending)) return NULL;
      futex_wait(&jobs, all);
    } else if (atomic_compare_exchange_weak(&taken, &mine, mine + 1)) {
      atomic_fetch_add(&sum, mine);
      atomic_fetch_add(&done, 1);
      futex_wake(&done, 1);
    }
  }
}

int main(int argc, char **argv) {
  uint32_t count = argc > 1 ? (uint32_t)atoi(argv[1]) : 1000, ticks = 0;
  pthread_t threads[WORKERS];
  kev_queue *queue;
  if (kev_create(&queue, NULL, 0) < 0) return 1;
  if (!kev_supports(KEV_SOURCE_FUTEX, 0, 0)) return puts("this kernel has no futex_waitv"), 0;
  for (int i = 0; i < WORKERS; ++i) pthread_create(&threads[i], NULL, work, NULL);
  kev_deadline soon = {.ns = 1000000, .clock = CLOCK_MONOTONIC};
  kev_add_timer(queue, 0, &soon, 1000000, 0, 0);
  kev_add_futex(queue, (const uint32_t *)&done, 0, 0, 0);

  for (uint32_t finished = 0; finished < count;) {
    kev_event event;
    if (kev_wait(queue, &event, 1, 1, NULL, NULL) != 1) continue;
    if (event.source == KEV_SOURCE_TIMER) { /* some more jobs every millisecond */
      ++ticks;
      uint32_t now = atomic_load(&jobs), more = count - now < 100 ? count - now : 100;
      atomic_fetch_add(&jobs, more);
      futex_wake(&jobs, WORKERS);
    } else { /* event.data[0] is the word as it was seen: nothing to be read again; wait for the next value */
      finished = (uint32_t)event.data[0];
      kev_change next = {.ident = event.ident, .source = KEV_SOURCE_FUTEX, .op = KEV_MOD, .arg = {finished}};
      kev_submit(queue, &next, 1);
    }
  }
  atomic_store(&ending, 1);
  for (int i = 0; i < WORKERS; ++i) {
    while (pthread_tryjoin_np(threads[i], NULL) != 0) futex_wake(&jobs, WORKERS), usleep(100);
  }
  printf("%u jobs, sum %llu, ", count, (unsigned long long)atomic_load(&sum));
  puts(ticks > 0 ? "timer ticked" : "no tick");
  return kev_destroy(queue) < 0;
}
