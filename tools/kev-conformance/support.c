// Verdicts, time, descriptors and randomness for the cases. The life of a trial's thread is in trial.c.
#define _GNU_SOURCE 1
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

char scratch_directory[128];
static int no_shared_id[2] = {-1, -1};
int *shared_queue_id = no_shared_id;

static void set_verdict(struct result *result, enum outcome outcome, const char *format, va_list arguments) {
  result->outcome = outcome;
  vsnprintf(result->message, sizeof result->message, format, arguments);
}

#define VERDICT(name, outcome)                              \
  void name(struct result *result, const char *format, ...) { \
    va_list arguments;                                      \
    va_start(arguments, format);                            \
    set_verdict(result, outcome, format, arguments);                \
    va_end(arguments);                                      \
  }

VERDICT(pass, OUTCOME_PASS)
VERDICT(fail, OUTCOME_FAIL)
VERDICT(skip, OUTCOME_SKIP)
VERDICT(inform, OUTCOME_INFO)
VERDICT(not_built, OUTCOME_NOT_BUILT)
VERDICT(hang, OUTCOME_HANG)

int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void spin_until(int64_t at_ns) {
  while (now_ns() < at_ns) continue;
}

void sleep_ms(int milliseconds) {
  struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
}

unsigned random_below(unsigned bound) {
  static uint64_t seed;
  if (seed == 0) seed = (uint64_t)now_ns() | 1;
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return (unsigned)((seed >> 16) % bound);
}

bool wait_for(atomic_int *flag, int value, int milliseconds) {
  int64_t start = now_ns(), end = start + milliseconds * (int64_t)1000000;
  while (atomic_load(flag) != value) {
    int64_t now = now_ns();
    if (now > end) return false;
    // The other thread may share this CPU: spin first, then sleep. A yield would put this thread back for long.
    int64_t pause = now - start > 2000000 ? 100000 : 20000;
    if (now - start > 50000) nanosleep(&(struct timespec){0, pause}, NULL);
  }
  return true;
}

void set_nonblocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

int count_descriptors(void) {
  DIR *directory = opendir("/proc/self/fd");
  if (directory == NULL) return -1;
  int count = 0;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) count += entry->d_name[0] != '.';
  closedir(directory);
  return count - 1;
}

int lowest_free_descriptor(void) {
  int fd = dup(2);
  if (fd >= 0) close(fd);
  return fd;
}

bool drain_finds(int fd, char mark) {
  char bytes[4096];
  bool found = false;
  set_nonblocking(fd);
  for (ssize_t n; (n = read(fd, bytes, sizeof bytes)) > 0;) found |= memchr(bytes, mark, (size_t)n) != NULL;
  return found;
}

void scratch_path(struct trial *t, const char *name) {
  snprintf(t->path, sizeof t->path, "%s/%s", scratch_directory, name);
}

bool scratch_make(void) {
  const char *base = getenv("TMPDIR");
  snprintf(scratch_directory, sizeof scratch_directory, "%.80s/kev-conformance-XXXXXX", base ? base : "/tmp");
  return mkdtemp(scratch_directory) != NULL;
}

// The directory is flat.
void scratch_remove(void) {
  DIR *directory = opendir(scratch_directory);
  if (directory == NULL) return;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) unlinkat(dirfd(directory), entry->d_name, 0);
  closedir(directory);
  rmdir(scratch_directory);
}

const char *error_name(int error) {
  switch (error) {
    case 0: return "no error";
    case EINTR: return "EINTR";
    case EAGAIN: return "EAGAIN";
    case ECANCELED: return "ECANCELED";
    case EINVAL: return "EINVAL";
    case EBADF: return "EBADF";
    case ENOSYS: return "ENOSYS";
    default: return strerror(error);
  }
}

EMBED_SOURCE(support_c);
