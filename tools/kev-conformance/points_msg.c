// System V message queues: msgrcv, msgsnd.
//
// The identifier stands in shared memory while it exists, so that a case that is killed leaves no queue behind.
#define _GNU_SOURCE 1
#include "support.h"

#include <errno.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <unistd.h>

struct message {
  long type;
  char text[8];
};

static bool queue_setup(struct trial *t) {
  t->number = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
  *shared_queue_id = t->number;
  return t->number >= 0;
}

// The queue is full once it holds as many bytes as it may.
static bool full_queue_setup(struct trial *t) {
  struct msqid_ds status;
  struct message message = {1, "filler"};
  if (!queue_setup(t) || msgctl(t->number, IPC_STAT, &status) != 0) return false;
  status.msg_qbytes = 8;
  return msgctl(t->number, IPC_SET, &status) == 0 && msgsnd(t->number, &message, 8, IPC_NOWAIT) == 0;
}

static void queue_teardown(struct trial *t) {
  if (t->number >= 0) msgctl(t->number, IPC_RMID, NULL);
  *shared_queue_id = -1;
}

static long messages(struct trial *t) {
  struct msqid_ds status = {0};
  msgctl(t->number, IPC_STAT, &status);
  return (long)status.msg_qnum;
}

static void put_message(struct trial *t) {
  struct message message = {2, "x"};
  msgsnd(t->number, &message, 8, IPC_NOWAIT);
}
static void take_message(struct trial *t) {
  struct message message;
  t->saved = (int)msgrcv(t->number, &message, 8, 0, IPC_NOWAIT);
}
static bool is_empty(struct trial *t) { return messages(t) == 0; }
static bool is_full(struct trial *t) { return messages(t) == 1; }

static void call_msgrcv(struct trial *t) {
  struct message message;
  TRIAL_CALL(t, msgrcv(t->number, &message, 8, 0, 0));
}
static void call_msgsnd(struct trial *t) {
  struct message message = {3, "X"};
  TRIAL_CALL(t, msgsnd(t->number, &message, 8, 0));
}

const struct point points_msg[] = {
  {.name = "msgrcv", .kind = KIND_REQUIRED, .clause = POSIX_2017, .flags = POINT_BLOCKS | POINT_EFFECT,
   .lost = "the message was taken out of the queue, and nobody has it", .setup = queue_setup, .call = call_msgrcv,
   .succeed = put_message, .effect = is_empty, .teardown = queue_teardown},
  {.name = "msgsnd", .kind = KIND_REQUIRED, .clause = POSIX_2017, .flags = POINT_BLOCKS | POINT_EFFECT,
   .lost = "the message went into the queue although the thread says that it was cancelled",
   .setup = full_queue_setup, .call = call_msgsnd, .succeed = take_message, .effect = is_full,
   .teardown = queue_teardown},
  {.name = NULL},
};

EMBED_SOURCE(points_msg_c);
