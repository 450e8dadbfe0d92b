// The event waits: poll, ppoll, select, pselect, epoll_wait and its kin.
//
// poll and select report a level: nothing can be lost. epoll_wait with EPOLLONESHOT or EPOLLET takes the event out of
// the set: a loss is an event that nobody was told of and that does not come again.
#define _GNU_SOURCE 1
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

// Absent from older C libraries: then the address is null.
#pragma weak epoll_pwait2
int epoll_pwait2(int, struct epoll_event *, int, const struct timespec *, const sigset_t *);

static bool pipe_setup(struct trial *t) { return pipe2(t->fd, O_CLOEXEC) == 0; }
static void pipe_succeed(struct trial *t) { t->saved = (int)write(t->fd[1], "x", 1); }

static void call_poll(struct trial *t) {
  struct pollfd item = {t->fd[0], POLLIN, 0};
  TRIAL_CALL(t, poll(&item, 1, -1));
}
static void call_ppoll(struct trial *t) {
  struct pollfd item = {t->fd[0], POLLIN, 0};
  TRIAL_CALL(t, ppoll(&item, 1, NULL, NULL));
}
static void call_select(struct trial *t) {
  fd_set set;
  FD_ZERO(&set);
  FD_SET(t->fd[0], &set);
  TRIAL_CALL(t, select(t->fd[0] + 1, &set, NULL, NULL, NULL));
}
static void call_pselect(struct trial *t) {
  fd_set set;
  FD_ZERO(&set);
  FD_SET(t->fd[0], &set);
  TRIAL_CALL(t, pselect(t->fd[0] + 1, &set, NULL, NULL, NULL, NULL));
}

static bool epoll_setup(struct trial *t, uint32_t events) {
  struct epoll_event event = {.events = EPOLLIN | events};
  t->fd[2] = epoll_create1(EPOLL_CLOEXEC);
  return pipe_setup(t) && t->fd[2] >= 0 && epoll_ctl(t->fd[2], EPOLL_CTL_ADD, t->fd[0], &event) == 0;
}
static bool oneshot_setup(struct trial *t) { return epoll_setup(t, EPOLLONESHOT); }
static bool edge_setup(struct trial *t) { return epoll_setup(t, EPOLLET); }
static bool pwait2_setup(struct trial *t) {
  if (epoll_pwait2 == NULL) t->why = "not built";
  return epoll_pwait2 != NULL && oneshot_setup(t);
}
static bool epoll_effect(struct trial *t) {
  struct epoll_event event;
  return epoll_wait(t->fd[2], &event, 1, 0) == 0;
}

static void call_epoll_wait(struct trial *t) {
  struct epoll_event event;
  TRIAL_CALL(t, epoll_wait(t->fd[2], &event, 1, -1));
}
static void call_epoll_pwait(struct trial *t) {
  struct epoll_event event;
  sigset_t none;
  sigemptyset(&none);
  TRIAL_CALL(t, epoll_pwait(t->fd[2], &event, 1, -1, &none));
}
static void call_epoll_pwait2(struct trial *t) {
  struct epoll_event event;
  TRIAL_CALL(t, epoll_pwait2(t->fd[2], &event, 1, NULL, NULL));
}

#define LEVEL(function, kind_, clause_)                                                                           \
  {.name = #function, .kind = kind_, .clause = clause_, .flags = POINT_BLOCKS, .setup = pipe_setup,               \
   .call = call_##function, .succeed = pipe_succeed}
#define EPOLL(name_, setup_, function, lost_)                                                                     \
  {.name = name_, .kind = KIND_EXTRA, .clause = GLIBC_EXTRA, .flags = POINT_BLOCKS | POINT_EFFECT, .lost = lost_, \
   .setup = setup_, .call = function, .succeed = pipe_succeed, .effect = epoll_effect}
#define LOST_ONESHOT "the one-shot event was swallowed: the descriptor stays disarmed, and nobody was told"
#define LOST_EDGE "the edge was swallowed: data waits, and nobody was told"

const struct point points_event[] = {
  LEVEL(poll, KIND_REQUIRED, POSIX_2017),
  LEVEL(ppoll, KIND_REQUIRED, POSIX_2024),
  LEVEL(select, KIND_REQUIRED, POSIX_2017),
  LEVEL(pselect, KIND_REQUIRED, POSIX_2017),
  EPOLL("epoll_wait", oneshot_setup, call_epoll_wait, LOST_ONESHOT),
  EPOLL("epoll_wait-edge", edge_setup, call_epoll_wait, LOST_EDGE),
  EPOLL("epoll_pwait", oneshot_setup, call_epoll_pwait, LOST_ONESHOT),
  EPOLL("epoll_pwait2", pwait2_setup, call_epoll_pwait2, LOST_ONESHOT),
  {.name = NULL},
};

EMBED_SOURCE(points_event_c);
