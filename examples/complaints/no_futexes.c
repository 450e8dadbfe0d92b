/* "One cannot wait for a futex together with descriptors."
 *
 * With eventfd + epoll: a thread for each word, which sleeps on it and writes to an eventfd. With libkev: the word is
 * registered. (Where io_uring has no futexes the library has one thread, for all words.)
 */
#define _GNU_SOURCE
#include <kev/kev.h>

#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static _Atomic uint32_t word;
static int counter;

/* Somebody who knows of the word only, as a mutex or a library of others would. */
static void *change(void *unused) {
  nanosleep(&(struct timespec){0, 5000000}, NULL);
  atomic_fetch_add(&word, 1);
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
  return unused;
}

static void *translate(void *unused) {
  uint64_t one = 1;
  while (atomic_load(&word) == 0) syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
  if (write(counter, &one, sizeof one) < 0) perror("write");
  return unused;
}

static void with_epoll(void) {
  pthread_t threads[2];
  int set = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN};
  counter = eventfd(0, EFD_CLOEXEC);
  epoll_ctl(set, EPOLL_CTL_ADD, counter, &event);
  pthread_create(&threads[0], NULL, translate, NULL); /* for this word */
  pthread_create(&threads[1], NULL, change, NULL);
  int count = epoll_wait(set, &event, 1, -1);
  printf("eventfd + epoll: %d event, the word is %u; a thread and a descriptor for it\n", count, atomic_load(&word));
  for (int i = 0; i < 2; ++i) pthread_join(threads[i], NULL);
}

static void with_kev(void) {
  pthread_t thread;
  kev_queue *queue;
  kev_event event;
  kev_create(&queue, NULL, 0);
  int error = kev_add_futex(queue, (const uint32_t *)&word, 1, 0, 0);
  pthread_create(&thread, NULL, change, NULL);
  if (error < 0)
    printf("libkev: this kernel has no futex_waitv\n");
  else if (kev_wait(queue, &event, 1, 1, NULL, NULL) == 1)
    printf("libkev: 1 event, which says that the word is %u\n", (unsigned)event.data[0]);
  pthread_join(thread, NULL);
  kev_destroy(queue);
}

int main(void) {
  with_epoll();
  with_kev();
  return 0;
}
