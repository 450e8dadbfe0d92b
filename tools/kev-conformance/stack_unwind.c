// The stacks of a process that is stuck: each thread is stopped by ptrace and walked by libunwind from outside.
//
// With HAVE_LIBUNWIND only; without it, what /proc tells of each thread. Never waits without a limit: a thread that
// does not stop is left out, a walk ends after MAX_FRAMES. Waits with waitid for stops alone, so that the exit status
// of the process stays for the watchdog to collect.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "conformance.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_THREADS 64
#define MAX_FRAMES 48

// The threads of the process; 0 if it is gone.
static size_t find_threads(pid_t process, pid_t threads[MAX_THREADS]) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task", (int)process);
  DIR *folder = opendir(path);
  size_t count = 0;
  if (folder == NULL) return 0;
  for (struct dirent *entry; count < MAX_THREADS && (entry = readdir(folder)) != NULL;)
    if (atoi(entry->d_name) > 0) threads[count++] = atoi(entry->d_name);
  closedir(folder);
  return count;
}

// The first line of a file of the thread in /proc; empty if it cannot be read.
static void read_task_file(pid_t process, pid_t thread, const char *name, char *text, size_t size) {
  char path[96];
  snprintf(path, sizeof path, "/proc/%d/task/%d/%s", (int)process, (int)thread, name);
  FILE *file = fopen(path, "re");
  text[0] = 0;
  if (file == NULL) return;
  if (fgets(text, (int)size, file) == NULL) text[0] = 0;
  text[strcspn(text, "\n")] = 0;
  fclose(file);
}

static void print_thread(pid_t process, pid_t thread, FILE *out) {
  char name[32], call[256], status[512];
  read_task_file(process, thread, "comm", name, sizeof name);
  read_task_file(process, thread, "syscall", call, sizeof call);
  read_task_file(process, thread, "stat", status, sizeof status);
  const char *state = strrchr(status, ')'); // the name in parentheses may hold anything
  fprintf(out, "thread %d (%s), state %c", (int)thread, name, state == NULL || state[1] == 0 ? '?' : state[2]);
  call[strcspn(call, " ")] = 0;
  if (call[0] >= '0' && call[0] <= '9') fprintf(out, ", in system call %s", call);
  fputc('\n', out);
}

#ifdef HAVE_LIBUNWIND

#include <libunwind-ptrace.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

const bool stack_is_built = true;

// Stops one thread. False: it did not stop within a second (it sleeps where no signal reaches), or is gone.
static bool stop_thread(pid_t thread) {
  const struct timespec pause = {.tv_nsec = 2000000};
  if (ptrace(PTRACE_SEIZE, thread, NULL, NULL) != 0) return false;
  if (ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) != 0) return false;
  for (int i = 0; i < 500; i++) {
    siginfo_t stop = {0};
    if (waitid(P_PID, (id_t)thread, &stop, WSTOPPED | WNOHANG | __WALL) != 0) return false;
    if (stop.si_pid == thread) return true;
    nanosleep(&pause, NULL);
  }
  return false;
}

static void print_frame(unw_cursor_t *cursor, unsigned number, FILE *out) {
  unw_word_t address = 0, offset = 0;
  char name[160];
  unw_get_reg(cursor, UNW_REG_IP, &address);
  fprintf(out, "  #%-2u 0x%012" PRIxPTR, number, (uintptr_t)address);
  if (unw_get_proc_name(cursor, name, sizeof name, &offset) == 0)
    fprintf(out, " %s+0x%" PRIxPTR, name, (uintptr_t)offset);
  if (unw_is_signal_frame(cursor) > 0) fputs(" (signal frame)", out);
  fputc('\n', out);
}

static void print_walk(unw_addr_space_t space, pid_t thread, FILE *out) {
  void *remote = _UPT_create(thread);
  unw_cursor_t cursor;
  if (remote == NULL) return;
  int more = unw_init_remote(&cursor, space, remote);
  if (more != 0) fprintf(out, "  no stack: %s\n", unw_strerror(more));
  unw_word_t last_address = 0, last_stack = 0;
  for (unsigned i = 0; more == 0 && i < MAX_FRAMES; i++) {
    unw_word_t address = 0, stack = 0;
    unw_get_reg(&cursor, UNW_REG_IP, &address);
    unw_get_reg(&cursor, UNW_REG_SP, &stack);
    if (address == 0 || (address == last_address && stack == last_stack)) break;
    print_frame(&cursor, i, out);
    last_address = address;
    last_stack = stack;
    if (unw_step(&cursor) <= 0) break;
  }
  _UPT_destroy(remote);
}

void stack_print(pid_t process, FILE *out) {
  pid_t threads[MAX_THREADS];
  size_t count = find_threads(process, threads);
  unw_addr_space_t space = unw_create_addr_space(&_UPT_accessors, 0);
  for (size_t i = 0; i < count; i++) {
    print_thread(process, threads[i], out);
    bool stopped = stop_thread(threads[i]);
    if (stopped && space != NULL)
      print_walk(space, threads[i], out);
    else
      fputs("  no stack: the thread cannot be stopped\n", out);
    ptrace(PTRACE_DETACH, threads[i], NULL, NULL);
  }
  if (space != NULL) unw_destroy_addr_space(space);
}

#else

const bool stack_is_built = false;

void stack_print(pid_t process, FILE *out) {
  pid_t threads[MAX_THREADS];
  size_t count = find_threads(process, threads);
  for (size_t i = 0; i < count; i++) print_thread(process, threads[i], out);
  fputs("stacks: not built (needs libunwind)\n", out);
}

#endif
