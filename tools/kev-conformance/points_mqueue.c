// POSIX message queues: mq_receive, mq_timedreceive, mq_send, mq_timedsend.
//
// The queue holds one message. A loss is exact: the queue is empty (or full again) and nobody was told.
#define _GNU_SOURCE 1
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <time.h>
#include <unistd.h>

static mqd_t queue = (mqd_t)-1;

static bool queue_setup(struct trial *t) {
  struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 8};
  snprintf(t->path, sizeof t->path, "/kev-conformance-%d", (int)getpid());
  queue = mq_open(t->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attributes);
  if (queue == (mqd_t)-1) return false;
  mq_unlink(t->path);
  return true;
}

static bool full_queue_setup(struct trial *t) { return queue_setup(t) && mq_send(queue, "f", 1, 0) == 0; }

static void queue_teardown(struct trial *t) {
  (void)t;
  if (queue != (mqd_t)-1) mq_close(queue);
  queue = (mqd_t)-1;
}

static long messages(void) {
  struct mq_attr attributes = {0};
  mq_getattr(queue, &attributes);
  return attributes.mq_curmsgs;
}

static void put_message(struct trial *t) { t->saved = mq_send(queue, "x", 1, 0); }
static void take_message(struct trial *t) {
  char text[8];
  t->saved = (int)mq_receive(queue, text, sizeof text, NULL);
}
static bool is_empty(struct trial *t) {
  (void)t;
  return messages() == 0;
}
static bool is_full(struct trial *t) {
  (void)t;
  return messages() == 1;
}

static struct timespec later(void) {
  struct timespec at;
  clock_gettime(CLOCK_REALTIME, &at);
  at.tv_sec += 1000;
  return at;
}

static void call_receive(struct trial *t) { TRIAL_CALL(t, mq_receive(queue, t->buffer, 8, NULL)); }
static void call_timedreceive(struct trial *t) {
  struct timespec at = later();
  TRIAL_CALL(t, mq_timedreceive(queue, t->buffer, 8, NULL, &at));
}
static void call_send(struct trial *t) { TRIAL_CALL(t, mq_send(queue, "X", 1, 0)); }
static void call_timedsend(struct trial *t) {
  struct timespec at = later();
  TRIAL_CALL(t, mq_timedsend(queue, "X", 1, 0, &at));
}

#define LOST_IN "the message was taken out of the queue, and nobody has it"
#define LOST_OUT "the message went into the queue although the thread says that it was cancelled"
#define QUEUE(name_, lost_, setup_, call_, succeed_, effect_)                                                     \
  {.name = name_, .kind = KIND_REQUIRED, .clause = POSIX_2017, .flags = POINT_BLOCKS | POINT_EFFECT,              \
   .lost = lost_, .setup = setup_, .call = call_, .succeed = succeed_, .effect = effect_,                         \
   .teardown = queue_teardown}

const struct point points_mqueue[] = {
  QUEUE("mq_receive", LOST_IN, queue_setup, call_receive, put_message, is_empty),
  QUEUE("mq_timedreceive", LOST_IN, queue_setup, call_timedreceive, put_message, is_empty),
  QUEUE("mq_send", LOST_OUT, full_queue_setup, call_send, take_message, is_full),
  QUEUE("mq_timedsend", LOST_OUT, full_queue_setup, call_timedsend, take_message, is_full),
  {.name = NULL},
};

EMBED_SOURCE(points_mqueue_c);
