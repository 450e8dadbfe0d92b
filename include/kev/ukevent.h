/* The interface of Linux's kevent as it was proposed in 2006 (takes 24 to 37), over libkev: for programs of that time.
 *
 * Header-only, C11 with POSIX.1-2008; link with -lkev -pthread. Functions return -1 and set errno, as the system calls'
 * wrappers did. One list of queues is shared by all files of a program that include this. Not async-signal-safe.
 * kevent_wait and kevent_get_events are cancellation points, and take nothing then (with a min of more than 1: nothing
 * that came since).
 *
 * What differs from the patches:
 *   - A queue is closed by kevent_close(), not close(). Its descriptor can be polled.
 *   - INODE, NAIO, AIO and POSIX_TIMER are not there: BROKEN, ret_data[1] EOPNOTSUPP.
 *   - The key is (type, id), but SOCKET, POLL and PIPE share their descriptors: EEXIST.
 *   - ret_data[0]: bits of poll(2), expirations of a timer, sender of a signal; errno in ret_data[1] with BROKEN.
 *   - An edge (ET) that stood when it was added is told by ADD, and once more by the queue.
 *   - A timeout with negative seconds is for ever. The ring holds one event less than it has places. */
#ifndef KEV_UKEVENT_H
#define KEV_UKEVENT_H

#include <kev/kev.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEVENT_CTL_ADD 0u
#define KEVENT_CTL_REMOVE 1u
#define KEVENT_CTL_MODIFY 2u
#define KEVENT_CTL_READY 3u /* marks as ready; with no events it wakes one waiter */

#define KEVENT_SOCKET 0u /* event: KEVENT_SOCKET_* */
#define KEVENT_INODE 1u
#define KEVENT_TIMER 2u /* id.raw: seconds, nanoseconds; periodic unless it is ONESHOT */
#define KEVENT_POLL 3u  /* event: bits of poll(2) */
#define KEVENT_NAIO 4u
#define KEVENT_AIO 5u
#define KEVENT_PIPE 6u        /* event: KEVENT_SOCKET_* */
#define KEVENT_SIGNAL 7u      /* id.raw[0]: its number; it is blocked in every thread */
#define KEVENT_POSIX_TIMER 8u
#define KEVENT_UNOTIFY 9u /* of the program's own: KEVENT_CTL_READY */

#define KEVENT_SOCKET_RECV 0x1u
#define KEVENT_SOCKET_ACCEPT 0x2u
#define KEVENT_SOCKET_SEND 0x4u

#define KEVENT_REQ_ONESHOT 0x1u
#define KEVENT_REQ_WAKEUP_ALL 0x2u
#define KEVENT_REQ_ET 0x4u
#define KEVENT_REQ_LAST_CHECK 0x8u
#define KEVENT_REQ_ALWAYS_QUEUE 0x10u /* ADD does not tell that it is ready at once */

#define KEVENT_RET_BROKEN 0x1u
#define KEVENT_RET_DONE 0x2u
#define KEVENT_RET_COPY_FAILED 0x4u

#define KEVENT_FLAGS_ABSTIME 0x1u /* the timeout is a point of CLOCK_REALTIME */

struct kevent_id {
  union {
    uint32_t raw[2];
    uint64_t raw_u64;
  };
};
struct ukevent {
  struct kevent_id id;
  uint32_t type, event, req_flags, ret_flags, ret_data[2];
  union {
    uint32_t user[2];
    void *ptr;
  };
};
/* The program's memory. ring_kidx: where the next event goes; ring_over: how often the committed index has wrapped. */
struct kevent_ring {
  unsigned ring_kidx, ring_over;
  __extension__ struct ukevent event[];
};

/* ---- private from here on, but for the five functions at the end and kevent_close ---- */

struct ukevent_node {
  struct ukevent request; /* first: what is compared */
  int is_marked;          /* KEVENT_CTL_READY, not reported yet */
};
struct ukevent_queue {
  struct ukevent_queue *next;
  kev_queue *queue;
  struct kevent_ring *ring;
  void *nodes; /* of tsearch */
  pthread_mutex_t lock;
  pthread_cond_t room;
  unsigned size, uidx, sleepers;
  int fd;
};
__attribute__((weak)) struct ukevent_queue *ukevent_queues;
__attribute__((weak)) pthread_mutex_t ukevent_lock = PTHREAD_MUTEX_INITIALIZER;

#define UKEVENT_MARKS UINT64_MAX /* the user event that KEVENT_CTL_READY posts: type, id */

static inline int ukevent_fail(int error) {
  errno = error < 0 ? -error : error;
  return -1;
}
static inline int ukevent_compare(const void *a, const void *b) {
  const struct ukevent *left = (const struct ukevent *)a, *right = (const struct ukevent *)b;
  if (left->type != right->type) return left->type < right->type ? -1 : 1;
  return left->id.raw_u64 < right->id.raw_u64 ? -1 : left->id.raw_u64 > right->id.raw_u64;
}
static inline struct ukevent_node *ukevent_find(struct ukevent_queue *q, const struct ukevent *key) {
  void *found = tfind(key, &q->nodes, ukevent_compare);
  return found ? *(struct ukevent_node **)found : NULL;
}
static inline void ukevent_forget(struct ukevent_queue *q, struct ukevent_node *node) {
  tdelete(node, &q->nodes, ukevent_compare);
  free(node);
}
static inline struct ukevent_queue *ukevent_queue_of(int fd) {
  pthread_mutex_lock(&ukevent_lock);
  struct ukevent_queue *q = ukevent_queues;
  while (q && q->fd != fd) q = q->next;
  pthread_mutex_unlock(&ukevent_lock);
  return q;
}

static inline unsigned ukevent_poll_bits(const struct ukevent *uk) {
  if (uk->type == KEVENT_POLL) return uk->event;
  return (uk->event & (KEVENT_SOCKET_RECV | KEVENT_SOCKET_ACCEPT) ? POLLIN : 0) |
         (uk->event & KEVENT_SOCKET_SEND ? POLLOUT : 0);
}
static inline int ukevent_is_fd(uint32_t type) {
  return type == KEVENT_SOCKET || type == KEVENT_POLL || type == KEVENT_PIPE;
}

/* ADD, MODIFY and REMOVE as libkev has them: 0 or -errno. */
static inline int ukevent_change(kev_queue *queue, const struct ukevent *uk, uint8_t op) {
  kev_change change;
  memset(&change, 0, sizeof change);
  change.op = op;
  change.ident = uk->id.raw[0];
  if (ukevent_is_fd(uk->type)) {
    change.source = KEV_SOURCE_FD;
  } else if (uk->type == KEVENT_TIMER) {
    change.source = KEV_SOURCE_TIMER;
    change.ident = uk->id.raw_u64;
  } else if (uk->type == KEVENT_SIGNAL) {
    change.source = KEV_SOURCE_SIGNAL;
  } else {
    return uk->type == KEVENT_UNOTIFY ? 0 : -EOPNOTSUPP;
  }
  if (op != KEV_DELETE) {
    change.udata = uk->type;
    if (uk->req_flags & KEVENT_REQ_ONESHOT) change.flags |= KEV_ONESHOT;
    if (uk->req_flags & KEVENT_REQ_WAKEUP_ALL) change.flags |= KEV_WAKE_ALL;
    if (change.source == KEV_SOURCE_FD) {
      change.what = ukevent_poll_bits(uk);
      if (uk->req_flags & KEVENT_REQ_ET) change.flags |= KEV_EDGE;
      if (uk->req_flags & KEVENT_REQ_LAST_CHECK) change.flags |= KEV_RECHECK;
    } else if (change.source == KEV_SOURCE_TIMER) {
      change.arg[0] = change.arg[3] = uk->id.raw[0] * UINT64_C(1000000000) + uk->id.raw[1];
      change.arg[2] = CLOCK_MONOTONIC;
    }
  }
  int error = kev_submit(queue, &change, 1);
  return error < 0 ? error : change.result;
}

/* 1: it is ready at once; 0; or -errno. */
static inline int ukevent_add(struct ukevent_queue *q, struct ukevent *uk) {
  if (ukevent_find(q, uk)) return -EEXIST;
  struct pollfd now = {(int)uk->id.raw[0], (short)ukevent_poll_bits(uk), 0};
  int is_ready = ukevent_is_fd(uk->type) && !(uk->req_flags & KEVENT_REQ_ALWAYS_QUEUE) && poll(&now, 1, 0) == 1 &&
                 !(now.revents & POLLNVAL);
  struct ukevent_node *node = (struct ukevent_node *)calloc(1, sizeof *node);
  if (!node) return -ENOMEM;
  node->request = *uk;
  if (is_ready) uk->ret_data[0] = (unsigned short)now.revents;
  int error = tsearch(node, &q->nodes, ukevent_compare) ? ukevent_change(q->queue, uk, KEV_ADD) : -ENOMEM;
  if (error == 0 && is_ready && (uk->req_flags & KEVENT_REQ_ONESHOT)) ukevent_change(q->queue, uk, KEV_DELETE);
  if (error < 0 || (is_ready && (uk->req_flags & KEVENT_REQ_ONESHOT))) ukevent_forget(q, node);
  return error < 0 ? error : is_ready;
}
static inline int ukevent_apply(struct ukevent_queue *q, unsigned cmd, struct ukevent *uk) {
  if (ukevent_is_fd(uk->type) || uk->type == KEVENT_SIGNAL) uk->id.raw[1] = 0;
  if (cmd == KEVENT_CTL_ADD) return ukevent_add(q, uk);
  struct ukevent_node *node = ukevent_find(q, uk);
  if (!node) return -ENOENT;
  int error = 0;
  if (cmd == KEVENT_CTL_REMOVE) {
    ukevent_change(q->queue, uk, KEV_DELETE);
    ukevent_forget(q, node);
  } else if (cmd == KEVENT_CTL_MODIFY) {
    error = ukevent_change(q->queue, uk, KEV_MOD);
    if (error == 0) node->request = *uk;
  } else if (!node->is_marked) {
    const uint64_t id[3] = {uk->id.raw_u64, 0, 0};
    error = kev_post(q->queue, UKEVENT_MARKS, uk->type, id);
    node->is_marked = error == 0;
  }
  return error;
}

/* What a kev_event is to the program. 0: of something that was removed since. */
static inline int ukevent_translate(struct ukevent_queue *q, const kev_event *event, struct ukevent *out) {
  int is_mark = event->source == KEV_SOURCE_USER;
  struct ukevent key;
  key.type = is_mark ? (uint32_t)event->result : (uint32_t)event->udata;
  key.id.raw_u64 = is_mark ? event->data[0] : event->ident;
  struct ukevent_node *node = ukevent_find(q, &key);
  if (!node || (is_mark && !node->is_marked)) return 0;
  *out = node->request;
  out->ret_flags = KEVENT_RET_DONE;
  if (!is_mark) out->ret_data[0] = (uint32_t)event->data[0];
  if (event->source == KEV_SOURCE_TIMER) out->ret_data[0] = (uint32_t)event->result;
  if (event->flags & KEV_E_ERROR) {
    out->ret_flags |= KEVENT_RET_BROKEN;
    out->ret_data[1] = (uint32_t)-event->result;
  }
  if (is_mark) node->is_marked = 0;
  if (node->request.req_flags & KEVENT_REQ_ONESHOT) {
    if (is_mark) ukevent_change(q->queue, out, KEV_DELETE);
    ukevent_forget(q, node);
  }
  return 1;
}
/* With the lock: up to `max` of what stands, into `buf`, or into the ring. How many, or -errno. */
static inline int ukevent_take(struct ukevent_queue *q, unsigned max, struct ukevent *buf) {
  kev_event events[64];
  int got = max ? kev_wait(q->queue, events, 0, max < 64 ? max : 64, NULL, NULL) : 0, count = 0;
  for (int i = 0; i < got; ++i) {
    unsigned place = buf ? 0 : q->ring->ring_kidx;
    if (!ukevent_translate(q, events + i, buf ? buf + count : q->ring->event + place)) continue;
    ++count;
    if (!buf) __atomic_store_n(&q->ring->ring_kidx, (place + 1) % q->size, __ATOMIC_RELEASE);
  }
  return got < 0 ? got : count;
}
static inline unsigned ukevent_room(const struct ukevent_queue *q) {
  return q->size - 1 - (q->ring->ring_kidx + q->size - q->uidx) % q->size;
}
static inline void ukevent_unlock(void *lock) { pthread_mutex_unlock((pthread_mutex_t *)lock); }
static inline void ukevent_awake(void *sleepers) { __atomic_sub_fetch((unsigned *)sleepers, 1, __ATOMIC_SEQ_CST); }

/* 1: something stands, or may; 0: the time is over, or woken; -errno. */
static inline int ukevent_sleep(struct ukevent_queue *q, uint64_t seen, const kev_deadline *until) {
  int result;
  __atomic_add_fetch(&q->sleepers, 1, __ATOMIC_SEQ_CST);
  pthread_cleanup_push(ukevent_awake, &q->sleepers);
  result = kev_sleep(q->queue, seen, until, NULL);
  pthread_cleanup_pop(1);
  return result;
}
/* The lock is held: until there is room in the ring. 0: there may be; -1: the time is over. */
static inline int ukevent_sleep_for_room(struct ukevent_queue *q, const kev_deadline *until) {
  int error;
  struct timespec at = {0, 0};
  if (until) {
    struct timespec now, steady;
    clock_gettime(until->clock, &now);
    clock_gettime(CLOCK_MONOTONIC, &steady);
    int64_t left = until->ns - (now.tv_sec * INT64_C(1000000000) + now.tv_nsec);
    if (left <= 0) return -1;
    left += steady.tv_nsec;
    at.tv_sec = steady.tv_sec + left / 1000000000;
    at.tv_nsec = left % 1000000000;
  }
  error = until ? pthread_cond_timedwait(&q->room, &q->lock, &at) : pthread_cond_wait(&q->room, &q->lock);
  return error ? -1 : 0;
}
static inline int ukevent_wait(struct ukevent_queue *q, unsigned min, unsigned max, struct timespec timeout,
                               struct ukevent *buf, unsigned old_uidx, unsigned flags) {
  if (flags & ~KEVENT_FLAGS_ABSTIME || timeout.tv_nsec < 0 || timeout.tv_nsec > 999999999) return ukevent_fail(EINVAL);
  kev_deadline deadline = {timeout.tv_sec * INT64_C(1000000000) + timeout.tv_nsec, 0, CLOCK_REALTIME, KEV_ABS};
  kev_deadline *until = timeout.tv_sec < 0 || timeout.tv_sec > INT64_MAX / 2000000000 ? NULL : &deadline;
  if (!(flags & KEVENT_FLAGS_ABSTIME)) {
    struct timespec now;
    clock_gettime(deadline.clock = CLOCK_MONOTONIC, &now);
    deadline.ns += now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
  }
  int total = 0, result = 1, taken = 0;
  for (;;) {
    uint64_t seen = kev_index(q->queue);
    int is_over = 0;
    pthread_mutex_lock(&q->lock);
    pthread_cleanup_push(ukevent_unlock, &q->lock);
    while (!buf && result == 1 && ukevent_room(q) == 0 && q->uidx == old_uidx)
      if (ukevent_sleep_for_room(q, until) < 0) result = 0;
    unsigned room = buf || ukevent_room(q) > max ? max - (unsigned)total : ukevent_room(q);
    taken = ukevent_take(q, room, buf ? buf + total : NULL);
    is_over = !buf && (q->uidx != old_uidx);
    pthread_cleanup_pop(1);
    if (taken < 0) return total ? total : ukevent_fail(taken);
    total += taken;
    if (is_over || result != 1 || (unsigned)total >= min) break;
    result = ukevent_sleep(q, seen, until);
    if (result < 0) return total ? total : ukevent_fail(result);
  }
  return total;
}

/* Makes a queue with a ring of `size` places (0, and no ring: kevent_get_events alone). Its descriptor, or -1. */
static inline int kevent_init(struct kevent_ring *ring, unsigned size, unsigned flags) {
  if (flags != 0 || (ring ? size < 2 : size != 0)) return ukevent_fail(EINVAL);
  struct ukevent_queue *q = (struct ukevent_queue *)calloc(1, sizeof *q);
  if (!q) return ukevent_fail(ENOMEM);
  int error = kev_create(&q->queue, NULL, 0);
  if (error == 0) error = kev_add_user(q->queue, UKEVENT_MARKS, 0, 0);
  if (error == 0) error = q->fd = kev_fd(q->queue);
  if (error < 0) {
    if (q->queue) kev_destroy(q->queue);
    free(q);
    return ukevent_fail(error);
  }
  pthread_condattr_t attr;
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_cond_init(&q->room, &attr);
  pthread_condattr_destroy(&attr);
  pthread_mutex_init(&q->lock, NULL);
  q->ring = ring;
  q->size = size;
  if (ring) ring->ring_kidx = ring->ring_over = 0;
  pthread_mutex_lock(&ukevent_lock);
  q->next = ukevent_queues;
  ukevent_queues = q;
  pthread_mutex_unlock(&ukevent_lock);
  return q->fd;
}

/* Closes it. EBUSY: a thread waits. */
static inline int kevent_close(int fd) {
  pthread_mutex_lock(&ukevent_lock);
  struct ukevent_queue **at = &ukevent_queues, *q;
  while (*at && (*at)->fd != fd) at = &(*at)->next;
  q = *at;
  int error = q ? kev_destroy(q->queue) : -EBADF;
  if (error == 0) *at = q->next;
  pthread_mutex_unlock(&ukevent_lock);
  if (error < 0) return ukevent_fail(error);
  while (q->nodes) ukevent_forget(q, *(struct ukevent_node **)q->nodes);
  pthread_cond_destroy(&q->room);
  pthread_mutex_destroy(&q->lock);
  free(q);
  return 0;
}

/* Tries all. Entries that failed (BROKEN | DONE, errno in ret_data[1]), or that ADD found ready (DONE), are written
 * back to the front of `events`; returns how many. */
static inline int kevent_ctl(int fd, unsigned cmd, unsigned count, struct ukevent *events) {
  struct ukevent_queue *q = ukevent_queue_of(fd);
  if (!q) return ukevent_fail(EBADF);
  if (cmd > KEVENT_CTL_READY || (count && !events)) return ukevent_fail(EINVAL);
  if (cmd == KEVENT_CTL_READY && count == 0) return kev_wake(q->queue, 1);
  int back = 0, cancel;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel); /* poll() is a cancellation point */
  pthread_mutex_lock(&q->lock);
  for (unsigned i = 0; i < count; ++i) {
    struct ukevent uk = events[i];
    uk.ret_flags = uk.ret_data[0] = uk.ret_data[1] = 0;
    int result = ukevent_apply(q, cmd, &uk);
    if (result == 0) continue;
    uk.ret_flags = KEVENT_RET_DONE | (result < 0 ? KEVENT_RET_BROKEN : 0);
    if (result < 0) uk.ret_data[1] = (uint32_t)-result;
    events[back++] = uk;
  }
  pthread_mutex_unlock(&q->lock);
  pthread_setcancelstate(cancel, NULL);
  return back;
}

/* Copies at least `min` (unless the time is over, or it is woken), at most `max` events into `buf`; how many. */
static inline int kevent_get_events(int fd, unsigned min, unsigned max, struct timespec timeout, struct ukevent *buf,
                                    unsigned flags) {
  struct ukevent_queue *q = ukevent_queue_of(fd);
  if (!q) return ukevent_fail(EBADF);
  if (!buf || max == 0 || min > max) return ukevent_fail(EINVAL);
  return ukevent_wait(q, min, max, timeout, buf, 0, flags);
}

/* Sleeps until events and room in the ring stand, or the committed index is not `old_uidx`; moves up to `count` events
 * into the ring; how many. */
static inline int kevent_wait(int fd, unsigned count, unsigned old_uidx, struct timespec timeout, unsigned flags) {
  struct ukevent_queue *q = ukevent_queue_of(fd);
  if (!q) return ukevent_fail(EBADF);
  if (!q->ring || count == 0) return ukevent_fail(EINVAL);
  return ukevent_wait(q, 1, count, timeout, NULL, old_uidx, flags);
}

/* The ring's places up to `new_uidx` are free. `over` is ring_over as it was when they were read: EOVERFLOW. Returns
 * how many were not free before. */
static inline int kevent_commit(int fd, unsigned new_uidx, unsigned over) {
  struct ukevent_queue *q = ukevent_queue_of(fd);
  if (!q) return ukevent_fail(EBADF);
  if (!q->ring || new_uidx >= q->size) return ukevent_fail(EINVAL);
  pthread_mutex_lock(&q->lock);
  unsigned used = (q->ring->ring_kidx + q->size - q->uidx) % q->size, freed = (new_uidx + q->size - q->uidx) % q->size;
  int is_stale = over != q->ring->ring_over;
  if (is_stale || freed > used) freed = 0;
  if (freed != 0) {
    if (new_uidx < q->uidx) __atomic_add_fetch(&q->ring->ring_over, 1, __ATOMIC_RELEASE);
    q->uidx = new_uidx;
    pthread_cond_broadcast(&q->room);
  }
  unsigned sleepers = __atomic_load_n(&q->sleepers, __ATOMIC_SEQ_CST);
  pthread_mutex_unlock(&q->lock);
  if (freed != 0 && sleepers != 0) kev_wake(q->queue, sleepers);
  return is_stale ? ukevent_fail(EOVERFLOW) : (int)freed;
}

#endif
