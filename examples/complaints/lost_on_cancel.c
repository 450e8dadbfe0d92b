/* "A thread that was woken for an event and is cancelled then takes the event with it."
 *
 * Two threads wait, an event wakes one of them, and that one is cancelled before it has done anything about it. Does
 * the other hear of the event?
 *
 * The counter-argument was that a clean-up handler could hand the event on. It can, where the thread knows that it has
 * one and every event has somebody who wrote such a handler; a thread that is cancelled on its way out of epoll_wait
 * does not know (glibc before 2.41 loses it there). A claim of libkev is given back by the library, whoever holds it.
 */
#define _GNU_SOURCE
#include <kev/kev.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static int set, counter;
static kev_queue *queue;
static sem_t woken;

static void busy(void) { /* about to act on the event, and cancelled before */
  sem_post(&woken);
  for (;;) pause();
}

static void *epoll_waiter(void *unused) {
  struct epoll_event event;
  epoll_wait(set, &event, 1, -1);
  busy();
  return unused;
}

static void hand_on(void *event) { /* armed anew, so that it is reported again */
  epoll_ctl(set, EPOLL_CTL_MOD, counter, (struct epoll_event *)event);
}
static void *careful_waiter(void *unused) {
  struct epoll_event event;
  epoll_wait(set, &event, 1, -1);
  event.events = EPOLLIN | EPOLLET;
  pthread_cleanup_push(hand_on, &event);
  busy();
  pthread_cleanup_pop(0);
  return unused;
}

static void *kev_waiter(void *unused) {
  kev_claim claim;
  while (kev_sleep(queue, kev_index(queue), NULL, NULL) != 1 || kev_claim_events(queue, 1, &claim) != 1) continue;
  busy();
  kev_commit(queue, &claim);
  return unused;
}

static void cancel_who_was_woken(void *(*waiter)(void *)) {
  pthread_t thread;
  pthread_create(&thread, NULL, waiter, NULL);
  while (sem_wait(&woken) != 0) continue;
  pthread_cancel(thread);
  pthread_join(thread, NULL);
}

static const char *by_epoll(void *(*waiter)(void *)) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLET};
  set = epoll_create1(EPOLL_CLOEXEC);
  counter = eventfd(1, EFD_CLOEXEC);
  epoll_ctl(set, EPOLL_CTL_ADD, counter, &event);
  cancel_who_was_woken(waiter);
  return epoll_wait(set, &event, 1, 100) == 1 ? "the other gets it" : "lost";
}

int main(void) {
  kev_event event;
  kev_deadline soon = {.ns = 100000000, .clock = CLOCK_MONOTONIC};
  sem_init(&woken, 0, 0);
  printf("eventfd + epoll: %s\n", by_epoll(epoll_waiter));
  printf("eventfd + epoll, with a clean-up handler: %s\n", by_epoll(careful_waiter));
  if (kev_create(&queue, NULL, 0) < 0 || kev_add_user(queue, 1, 0, 0) < 0 || kev_post(queue, 1, 0, NULL) < 0) return 1;
  cancel_who_was_woken(kev_waiter);
  printf("libkev: %s\n", kev_wait(queue, &event, 1, 1, &soon, NULL) == 1 ? "the other gets it" : "lost");
  return 0;
}
