/* libkev: one queue on which a program waits for anything.
 *
 * Descriptors, timers, signals, processes, futexes and events of the program's own are registered with a queue; a wait
 * returns what has happened, with what there is to know about it, in entries of 64 bytes. docs/abi.md says what of this
 * file may change, and how; kev(7) is the introduction.
 *
 * Every function returns a value >= 0 or -errno, and leaves errno alone. Unless a comment says otherwise, a function
 *   - is not a cancellation point (only kev_wait and kev_sleep are);
 *   - is not async-signal-safe (only kev_post, kev_wake, kev_shutdown, kev_index and kev_supports are; a handler must
 *     not leave one of these by siglongjmp), and must not be called with asynchronous cancellation;
 *   - may be called by any thread at any time;
 *   - returns -EINVAL for a null queue, -EBADF for one that was destroyed or never was one (where that can be told),
 *     -ECHILD in a child of fork (where kev_destroy alone works), and -ESHUTDOWN after kev_shutdown if it would add,
 *     wait or post.
 * Times are nanoseconds. Unknown bits in any argument are -EINVAL.
 */
#ifndef KEV_KEV_H
#define KEV_KEV_H

#include <stddef.h>
#include <stdint.h>
#include <sys/select.h> /* sigset_t, in strict C11 as well */

#include <kev/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What events come from: kev_event.source, kev_change.source. 7 to 15 are kept for file changes, asynchronous I/O and
 * the end of threads. */
#define KEV_SOURCE_FD 1u
#define KEV_SOURCE_USER 2u
#define KEV_SOURCE_TIMER 3u
#define KEV_SOURCE_SIGNAL 4u
#define KEV_SOURCE_PROCESS 5u
#define KEV_SOURCE_FUTEX 6u

/* kev_event.what and kev_change.what. KEV_SOURCE_FD: the bits of poll(2), of which ERR and HUP are reported unasked. */
#define KEV_IN 0x001u
#define KEV_PRI 0x002u
#define KEV_OUT 0x004u
#define KEV_ERR 0x008u
#define KEV_HUP 0x010u
#define KEV_RDHUP 0x2000u
/* The other sources, events only; kev_change.what is 0 there. */
#define KEV_POSTED 0x10000u    /* USER */
#define KEV_EXPIRED 0x20000u   /* TIMER */
#define KEV_CLOCK_SET 0x40000u /* TIMER with KEV_NOTICE_CLOCK_SET: somebody has set CLOCK_REALTIME */
#define KEV_RAISED 0x80000u    /* SIGNAL */
#define KEV_EXIT 0x100000u     /* PROCESS */
#define KEV_WOKEN 0x200000u    /* FUTEX: by FUTEX_WAKE */
#define KEV_CHANGED 0x400000u  /* FUTEX: the word did not hold the value */

/* kev_event.flags */
#define KEV_E_ERROR 0x0001u   /* result is -errno: the source could not tell, or cannot be waited for any more */
#define KEV_E_EOF 0x0002u     /* FD: the other end will send no more (KEV_HUP or KEV_RDHUP) */
#define KEV_E_MORE 0x0004u    /* kev_detail has more about this event, until it is committed */
#define KEV_E_LAST 0x0008u    /* the registration is gone, and this was its last event */
#define KEV_E_DELETED 0x0010u /* not an occurrence: the notice that KEV_NOTIFY_DELETE asked for */

/* One event. This layout is frozen. What is not said below is 0.
 *
 *   source   result                           data[0]           data[1]            data[2]
 *   FD       bytes readable *                 poll bits         SO_ERROR *         connections to accept *
 *   USER     as posted; COALESCE: their sum   as posted         as posted          as posted
 *   TIMER    expirations since the last event when it was due
 *   SIGNAL   signal number                    pid | uid << 32   code | status <<32 value
 *   PROCESS  si_status                        si_code           user time          system time
 *   FUTEX    0                                the word's value
 *
 * (*) with KEV_DATA, which may cost a system call each. */
typedef struct kev_event {
  uint64_t ident;   /* what was registered: descriptor, id, signal number, pidfd, address of the word */
  uint64_t udata;   /* as it was registered */
  int64_t result;   /* see above; -errno with KEV_E_ERROR */
  uint64_t data[3]; /* see above */
  uint64_t time_ns; /* CLOCK_MONOTONIC when the queue got to know of it, with KEV_Q_TIME; else 0 */
  uint16_t source;
  uint16_t flags; /* KEV_E_* */
  uint32_t what;
} kev_event;

/* kev_change.op */
#define KEV_ADD 1u     /* registers (source, ident); -EEXIST if it is */
#define KEV_MOD 2u     /* replaces everything but source and ident, and enables; -ENOENT */
#define KEV_ENABLE 3u  /* reports again; -ENOENT */
#define KEV_DISABLE 4u /* reports no more; events that stand already are still delivered; -ENOENT */
#define KEV_DELETE 5u  /* no later claim or wait yields an event of it; -ENOENT */
#define KEV_TRIGGER 6u /* USER: as kev_post() with result and data in arg[0] to arg[3] */

/* kev_change.flags */
#define KEV_ONESHOT 0x0001u          /* deleted as its first event is committed, which has KEV_E_LAST */
#define KEV_EDGE 0x0002u             /* FD: changes are reported, not the state */
#define KEV_DISPATCH 0x0004u         /* disabled as its event is made, until KEV_ENABLE */
#define KEV_WAKE_ALL 0x0008u         /* every waiter is woken; those that find nothing return 0 */
#define KEV_RECHECK 0x0010u          /* FD: asked again as the event is delivered, and dropped if it stands no more */
#define KEV_DATA 0x0020u             /* FD: fills what costs a system call */
#define KEV_REAP 0x0040u             /* PROCESS: the child is waited for, too; without it that stays to be done */
#define KEV_NOTIFY_DELETE 0x0080u    /* one event more, KEV_E_DELETED, once it is deleted and no claim holds it */
#define KEV_COALESCE 0x0100u         /* USER: posts that were not delivered yet become one event */
#define KEV_NOTICE_CLOCK_SET 0x0200u /* TIMER: an event KEV_CLOCK_SET, too, whenever CLOCK_REALTIME is set */
#define KEV_SHARED 0x0400u           /* FUTEX: the word is shared between processes */

/* One change, for kev_submit(). This layout is frozen. Unused fields are 0.
 *
 *   source   ident              what     arg[0]     arg[1]  arg[2]                           arg[3]
 *   FD       descriptor         KEV_IN.. 0          0       0                                0
 *   USER     any                0        0          0       0                                0
 *   TIMER    any                0        first.ns   slack   clock | uint64_t(flags) << 32    period, 0: once
 *   SIGNAL   signal number      0        0          0       0                                0
 *   PROCESS  pidfd              0        0          0       0                                0
 *   FUTEX    address of a word  0        value      0       0                                0
 *
 * A TIMER without a first expiration has UINT64_MAX in arg[2], and 0 in arg[0] and arg[1]. ENABLE, DISABLE and DELETE
 * take source and ident alone. */
typedef struct kev_change {
  uint64_t ident;
  uint64_t udata;
  uint64_t arg[4];
  uint16_t source;
  uint8_t op;
  uint8_t reserved;
  uint32_t flags;
  uint32_t what;
  int32_t result; /* out: 0 or -errno */
} kev_change;

/* kev_deadline.flags */
#define KEV_ABS 0x0001u              /* ns is a point of the clock */
#define KEV_END_ON_CLOCK_SET 0x0002u /* waits: -ECANCELED if CLOCK_REALTIME is set meanwhile */

/* When a wait ends or a timer expires first. Where a pointer to one may be null, that is for ever. */
typedef struct kev_deadline {
  int64_t ns;        /* from now, 0 or less: at once; or, with KEV_ABS, a point of the clock */
  uint64_t slack_ns; /* how much later will do; no promise that anything is gained by it */
  int32_t clock;     /* CLOCK_REALTIME, CLOCK_MONOTONIC or CLOCK_BOOTTIME; from now, the first two are the same */
  uint32_t flags;
} kev_deadline;

/* kev_attr.flags */
#define KEV_Q_SINGLE 0x0001u   /* one thread at a time waits, sleeps and claims: its sleep needs one system call less */
#define KEV_Q_TIME 0x0002u     /* fill kev_event.time_ns */
#define KEV_Q_NO_URING 0x0004u /* no io_uring, wherever it might be used */
/* With KEV_Q_SINGLE: sockets that are edge-triggered and busy are polled by an io_uring of the thread that waits, where the
 * kernel has it. Such a socket's file stays open until it is deleted from the queue, whoever has closed it: see
 * kev_create(3). */
#define KEV_Q_URING 0x0008u

/* What a queue is made with. Grows at its end: known by its size. */
typedef struct kev_attr {
  uint32_t flags;
  uint32_t ring_entries; /* a power of two from 2 to 65536; 0: 256 */
  uint32_t reserved[2];
} kev_attr;

/* Events of the ring, to be read where they stand until kev_commit() or kev_unclaim(). */
typedef struct kev_claim {
  const kev_event *events;
  uint32_t count;
  uint32_t reserved;
  uint64_t token; /* the library's */
} kev_claim;

#define KEV_ENGINE_EPOLL 1u
#define KEV_ENGINE_URING 2u

/* What kev_query() tells. Grows at its end: known by its size. */
typedef struct kev_info {
  uint32_t engine;        /* KEV_ENGINE_* */
  int32_t reason;         /* why it is not io_uring: the -errno of its set-up; 0: it was not asked for; -EAGAIN: nothing
                             is busy yet; -EOPNOTSUPP: given up, since more than one thread uses the queue, or kev_fd() */
  uint32_t ring_entries;
  uint32_t registrations;
  uint32_t ready;         /* events in the ring that nobody has claimed; it may be more already */
  uint32_t waiters;       /* threads that sleep */
  uint32_t descriptors;   /* of the queue's own */
  uint32_t threads;       /* of the library's own: 1 while futexes are waited for without io_uring */
  uint64_t events;        /* delivered so far */
  uint64_t kernel_waits;  /* times that the kernel was asked for events */
  uint64_t sleeps;
  uint64_t full;          /* times that the ring had no room for what was to go there */
} kev_info;

typedef struct kev_queue kev_queue;

/* ---- queues: kev_create(3) ---- */

/* Makes a queue. `attr` may be null, with size 0. Costs two to five descriptors (all close-on-exec) and the ring.
 * -EINVAL: unknown flags, a ring size that is none, queue is null, attr_size too small. -E2BIG: attr is larger than
 * this library knows and not 0 there. -EMFILE, -ENFILE, -ENOMEM. */
int kev_create(kev_queue **queue, const kev_attr *attr, size_t attr_size);

/* All waits, present and to come, return -ESHUTDOWN; so does what would add or post. Events that stand can still be
 * claimed. For good. Async-signal-safe. */
int kev_shutdown(kev_queue *queue);

/* Gives everything back. Registrations, and events that stand, are gone without a notice. -EBUSY: a thread waits, or a
 * claim stands. In a child of fork it gives back the child's copies, memory and descriptors. */
int kev_destroy(kev_queue *queue);

/* Fills in as much of `info` as the library knows, and 0 behind it. Returns the bytes it knows. -EINVAL: null. */
int kev_query(const kev_queue *queue, kev_info *info, size_t info_size);

/* 1 if this library on this kernel has the source with all of these flags and bits, 0 if not. What of an object's kind
 * depends on the object (a file that cannot be watched) is found by adding it. Async-signal-safe. */
int kev_supports(uint16_t source, uint32_t what, uint32_t flags);

/* ---- registrations: kev_submit(3) ---- */

/* Tries all of `count` changes in order, sets the result of each, and returns how many failed. An event that a change
 * makes ready stands when this returns. -EINVAL: changes is null with count > 0. -EFAULT is not told from a fault.
 * Results: -EINVAL (unknown source, op, bits or clock; a field that must be 0; SIGKILL, SIGSTOP, the C library's own
 * signals), -EEXIST, -ENOENT, -ENOMEM, -EOPNOTSUPP, -ESHUTDOWN; FD and PROCESS: -EBADF, -EPERM (cannot be watched),
 * -ELOOP, -ENOSPC; SIGNAL: -EMFILE; FUTEX: -EAGAIN (no thread), -ENOSPC (127 are waited for), -EFAULT. */
int kev_submit(kev_queue *queue, kev_change *changes, unsigned count);

/* Each of these is kev_submit() of one KEV_ADD, and returns its result. A descriptor is deleted before it is closed, or
 * closed by kev_close_fd: the kernel reports a closed one on while a duplicate lives, and then it cannot be deleted. */
int kev_add_fd(kev_queue *queue, int fd, uint32_t what, uint32_t flags, uint64_t udata);
/* `first` may be null for a timer that is not armed. It makes no system call unless a thread that sleeps must sleep
 * shorter, or kev_fd() is in use; CLOCK_REALTIME once needs a descriptor. -EINVAL: KEV_END_ON_CLOCK_SET. Expirations
 * that fall together become one event. */
int kev_add_timer(kev_queue *queue, uint64_t id, const kev_deadline *first, uint64_t period_ns, uint32_t flags,
                  uint64_t udata);
/* The signal must be blocked in every thread; the library changes no masks. */
int kev_add_signal(kev_queue *queue, int signo, uint32_t flags, uint64_t udata);
/* `pidfd` stays the caller's. One event, the last. Of a process that is not a child the status is known from Linux 6.15
 * on (PIDFD_INFO_EXIT); before, the event says -EOPNOTSUPP. */
int kev_add_process(kev_queue *queue, int pidfd, uint32_t flags, uint64_t udata);
/* Waits as FUTEX_WAIT does, on a word that is aligned to 4 bytes and stays mapped. Reports once and is disabled, until
 * KEV_MOD with another value or KEV_ENABLE with the same. Deleting one whose wake-up was not delivered passes it on. As
 * with every futex, a wake-up may be of no meaning: look at the word. */
int kev_add_futex(kev_queue *queue, const uint32_t *word, uint32_t value, uint32_t flags, uint64_t udata);
int kev_add_user(kev_queue *queue, uint64_t id, uint32_t flags, uint64_t udata);

/* kev_submit() of one KEV_DELETE. */
int kev_delete(kev_queue *queue, uint16_t source, uint64_t ident);

/* Deletes `fd` from the queue, if it is there, and closes it. 0 or close(2)'s error. */
int kev_close_fd(kev_queue *queue, int fd);

/* Makes the user event `id` ready, and wakes a waiter if one sleeps; no system call if none does (and kev_fd() is not
 * in use). `data` may be null: zeros. With KEV_COALESCE, `result` is 1 to INT32_MAX and data must be null.
 * -ENOENT. -EAGAIN: the ring is full (never with KEV_COALESCE), or the registration disabled. -EINVAL.
 * Async-signal-safe. */
int kev_post(kev_queue *queue, uint64_t id, int64_t result, const uint64_t data[3]);

/* ---- waiting: kev_wait(3) ---- */

/* Moves events into `events`: at least `min`, at most `max` (> 0), sleeping until the deadline while there are fewer,
 * and returns how many: fewer than min, or 0, at the deadline, or when woken by kev_wake() or for KEV_WAKE_ALL. min 0
 * does not sleep. A min beyond the ring's size or max is cut to it. `mask` (null: unchanged) is the signal mask for the
 * sleep, set atomically. A wait that finds enough in the ring makes no system call, but for one in some hundreds, which
 * looks at the kernel as well. -EINTR: a handler ran, or the process was stopped and went on, and nothing stood.
 * -ECANCELED: KEV_END_ON_CLOCK_SET. -EINVAL: events is null, max 0, a deadline that is none. -ESHUTDOWN.
 * Cancellation point: a request is acted on at entry or asleep, with no event taken. */
int kev_wait(kev_queue *queue, kev_event *events, unsigned min, unsigned max, const kev_deadline *deadline,
             const sigset_t *mask);

/* The count of all events that came to the ring. Async-signal-safe. (0 for what is no queue.) */
uint64_t kev_index(const kev_queue *queue);

/* Sleeps until an event stands that nobody has claimed, or kev_index() is not `seen` any more: returns 1. 0: the
 * deadline has passed, or kev_wake(). Takes nothing. Errors as kev_wait. Cancellation point: as kev_wait. */
int kev_sleep(kev_queue *queue, uint64_t seen, const kev_deadline *deadline, const sigset_t *mask);

/* Takes up to `max` (> 0) events that stand together in the ring; does not sleep. Returns the count, 0 if there is
 * none; each claim with a count is given back by kev_commit() or kev_unclaim(), in any order, by any thread. A thread
 * that ends while it holds claims unclaims them. -EINVAL: null, max 0. */
int kev_claim_events(kev_queue *queue, unsigned max, kev_claim *claim);

/* Copies more about event `i` of a claim: siginfo_t for SIGNAL (128 bytes), struct rusage for PROCESS (144), cut to
 * `size`. Returns the bytes there are. -ENODATA: no KEV_E_MORE. -EINVAL: no such claim or event. */
int kev_detail(kev_queue *queue, const kev_claim *claim, unsigned i, void *detail, size_t size);

/* The events are done with; their room is free. -EINVAL: not a claim that stands. */
int kev_commit(kev_queue *queue, kev_claim *claim);

/* Commits the first `from` events and gives the others back, for the next claim; wakes a waiter for them. -EINVAL. */
int kev_unclaim(kev_queue *queue, kev_claim *claim, unsigned from);

/* Lets `count` waits, present or next, return though nothing stands. Async-signal-safe. */
int kev_wake(kev_queue *queue, unsigned count);

/* A descriptor for another event loop: readable (poll(2), level-triggered) while an unclaimed event stands. Made at the
 * first call, the queue's own, not to be read, closed or passed on. -EMFILE, -ENFILE, -ENOMEM. */
int kev_fd(kev_queue *queue);

#ifdef __cplusplus
}
static_assert(sizeof(kev_event) == 64 && sizeof(kev_change) == 64, "frozen");
static_assert(sizeof(kev_deadline) == 24 && sizeof(kev_claim) == 24, "frozen");
#else
_Static_assert(sizeof(kev_event) == 64 && sizeof(kev_change) == 64, "frozen");
_Static_assert(sizeof(kev_deadline) == 24 && sizeof(kev_claim) == 24, "frozen");
#endif

#endif
