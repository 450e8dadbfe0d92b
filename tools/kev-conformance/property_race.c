// Property: when the success of the call races with a request, what the call did is never lost.
//
// Each round lets the call succeed and cancels the thread at nearly the same time. Either the thread is cancelled and
// the call has done nothing, or the call returns its result. The distance between the two moments follows the outcome,
// so that the call wins about three rounds in ten: that is where an implementation that loses shows it most. Most
// stretches of rounds keep both threads on one CPU, where success and request meet the thread before it runs again.
// The second property here counts the descriptors that such losses leak.
#define _GNU_SOURCE 1
#include "property.h"
#include "support.h"

#include <errno.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RACE_PATIENCE_MS = 3000, LEAK_ROUNDS = 400, STRETCH = 25 };

// A weighted staircase over the distance in ns; positive: the request comes after the success.
struct staircase {
  double centre, step;
  bool data_won;
  bool started;
};

static const double staircase_share = 0.3; // of rounds that the call is to win

static int64_t staircase_next(const struct staircase *s, double least_spread) {
  double spread = s->step < least_spread ? least_spread : s->step;
  return (int64_t)(s->centre + spread * ((double)random_below(2001) / 1000 - 1));
}

static void staircase_learn(struct staircase *s, bool data_won) {
  bool same = s->started && s->data_won == data_won;
  // A long series of one outcome means that the centre is far off; a change means that it is near.
  s->step = same ? s->step * 1.12 : s->step * 0.7;
  if (s->step < 150) s->step = 150;
  if (s->step > 200000) s->step = 200000;
  s->centre += data_won ? -s->step * (1 - staircase_share) : s->step * staircase_share;
  if (s->centre > 3e6) s->centre = 3e6;
  if (s->centre < -3e6) s->centre = -3e6;
  s->started = true;
  s->data_won = data_won;
}

// Success and request, `distance` apart, for a thread that is blocked.
static void race_blocked(struct trial *t, int64_t distance) {
  if (distance < 0) {
    pthread_cancel(t->thread);
    spin_until(now_ns() - distance);
    trial_succeed(t);
  } else {
    trial_succeed(t);
    if (distance > 0) spin_until(now_ns() + distance);
    pthread_cancel(t->thread);
  }
}

// A call that finds its success ready, and so does not block, starts at a time that both sides know.
static void race_ready(struct trial *t, int64_t distance) {
  int64_t start = now_ns() + 5000;
  if (distance < 0) start -= distance;
  atomic_store(&t->start_at, start);
  spin_until(start + distance);
  pthread_cancel(t->thread);
}

// Both threads share this CPU, so the order is exact: nothing but the main thread runs until it lets go.
static void race_on_one_cpu(struct trial *t) {
  unsigned choice = random_below(20);
  if (choice < 2) { // the request comes first and has its time
    pthread_cancel(t->thread);
    trial_wait_ended(t, 1);
    trial_succeed(t);
  } else if (choice < 5) { // the success has its time
    trial_succeed(t);
    trial_wait_ended(t, 1);
    pthread_cancel(t->thread);
  } else { // the thread finds both
    trial_succeed(t);
    pthread_cancel(t->thread);
  }
}

// There the main thread goes before all others, if it may: also where another process lets the call succeed, and wakes
// both. The thread of the trial gives that up again, and a child keeps it.
static void stay_on_one_cpu(bool stay, const cpu_set_t *all) {
  cpu_set_t one = *all;
  int cpu = sched_getcpu();
  if (stay && cpu >= 0) {
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
  }
  sched_setaffinity(0, sizeof one, &one);
  // musl refuses the library function.
  syscall(SYS_sched_setscheduler, 0, stay ? SCHED_FIFO : SCHED_OTHER, &(struct sched_param){.sched_priority = stay});
}

struct tally {
  unsigned odd; // rounds in which the call returned an error
  int odd_error;
  bool skipped, hung;
};

enum manner { READY, BLOCKED, ONE_CPU };

// A call that blocks is met blocked, two stretches of three on one CPU.
static enum manner manner_of(const struct point *point, unsigned round) {
  if (!(point->flags & POINT_BLOCKS)) return READY;
  return round / STRETCH % 3 == 0 ? BLOCKED : ONE_CPU;
}

static void race_once(struct trial *t, enum manner manner, struct staircase *staircase) {
  bool met_late = (t->point->flags & POINT_LATE) != 0;
  if (manner == READY) {
    trial_succeed(t);
    atomic_store(&t->start_at, -1);
    trial_start(t);
    wait_for(&t->entered, 1, RACE_PATIENCE_MS);
    race_ready(t, staircase_next(staircase, 300));
    return;
  }
  t->batch = manner == ONE_CPU;
  trial_start(t);
  // Now and then the thread is met on its way into the call.
  if (manner == BLOCKED && !met_late && random_below(16) == 0) {
    wait_for(&t->entered, 1, RACE_PATIENCE_MS);
  } else {
    trial_wait_blocked(t);
  }
  if (manner == ONE_CPU) {
    race_on_one_cpu(t);
  } else {
    race_blocked(t, staircase_next(staircase, 1500));
  }
}

static void race_rounds(const struct point *point, struct result *result, unsigned rounds, bool keep_leaks,
                        struct tally *tally) {
  struct figures *f = &result->figures;
  struct staircase staircases[3] = {{.step = 1000}, {.step = 8000}, {.step = 0}};
  int64_t end = now_ns() + (int64_t)(options.timeout * 0.6e9);
  cpu_set_t all;
  if (sched_getaffinity(0, sizeof all, &all) != 0) CPU_ZERO(&all);
  f->has_rounds = true;
  while (f->rounds < rounds && now_ns() < end) {
    struct trial t;
    enum manner manner = manner_of(point, f->rounds);
    if (f->rounds % STRETCH == 0 && CPU_COUNT(&all) > 0) stay_on_one_cpu(manner == ONE_CPU, &all);
    if (!trial_begin(&t, point, result)) {
      tally->skipped = true;
      return;
    }
    t.keep_leaks = keep_leaks;
    race_once(&t, manner, &staircases[manner]);
    f->rounds++;
    if (!trial_wait_ended(&t, RACE_PATIENCE_MS)) {
      f->hung++;
      tally->hung = true;
      hang(result, "round %u: the thread neither returned nor was cancelled within %d ms", f->rounds,
           RACE_PATIENCE_MS);
      return;
    }
    bool cancelled = trial_join(&t);
    bool good = !cancelled && (t.value >= 0 || ((point->flags & POINT_ENDS_EINTR) && t.error == EINTR));
    if (cancelled) {
      f->cancelled++;
      if (point->effect != NULL && point->effect(&t)) f->lost++;
    } else if (good) {
      f->data_won++;
    } else {
      tally->odd++;
      tally->odd_error = t.error;
    }
    staircase_learn(&staircases[manner], !cancelled);
    trial_end(&t);
  }
}

static bool race_applies(const struct point *point) {
  if (point->flags & (POINT_TIMED | POINT_OPTIONAL)) return false;
  return (point->flags & (POINT_EFFECT | POINT_BLOCKS)) != 0;
}

static void race_run(const struct point *point, struct result *result) {
  struct figures *f = &result->figures;
  struct tally tally = {0};
  race_rounds(point, result, options.rounds, false, &tally);
  if (tally.skipped || tally.hung) return;
  REQUIRE(result, tally.odd == 0, "the call returned the error %s in %u of %u rounds", error_name(tally.odd_error),
          tally.odd, f->rounds);
  if (f->lost > 0 && (point->flags & POINT_EINTR_GOES_ON)) {
    inform(result, "in %u of %u rounds %s, as after EINTR", f->lost, f->rounds, point->lost);
    return;
  }
  REQUIRE(result, f->lost == 0, "lost in %u of %u rounds: %s", f->lost, f->rounds, point->lost);
  if (f->cancelled * 20 < f->rounds || f->data_won * 20 < f->rounds) {
    inform(result, "nothing was lost, but it was hardly a race: the request won %u and the call %u of %u rounds",
           f->cancelled, f->data_won, f->rounds);
  }
}

const struct property property_race = {
  .name = "race",
  .title = "the success of %s is never lost when it races with a request",
  .clause = "POSIX.1-2017 XSH 2.9.5.2 (side effects are those of an EINTR return)",
  .kind = KIND_REQUIRED,
  .applies = race_applies,
  .run = race_run,
};

static bool leak_applies(const struct point *point) { return (point->flags & POINT_DESCRIPTOR) != 0; }

static void leak_run(const struct point *point, struct result *result) {
  struct tally tally = {0};
  struct rlimit limit;
  unsigned rounds = options.rounds < LEAK_ROUNDS ? options.rounds : LEAK_ROUNDS;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  int before = count_descriptors();
  race_rounds(point, result, rounds, true, &tally);
  int leaked = count_descriptors() - before;
  if (tally.skipped || tally.hung) return;
  REQUIRE(result, leaked <= 0, "%d descriptors leaked in %u rounds", leaked, result->figures.rounds);
}

const struct property property_leak = {
  .name = "leak",
  .title = "%s leaks no descriptor over many racing rounds",
  .clause = "POSIX.1-2017 XSH 2.9.5.2 (side effects are those of an EINTR return)",
  .kind = KIND_REQUIRED,
  .applies = leak_applies,
  .run = leak_run,
};

EMBED_SOURCE(property_race_c);
