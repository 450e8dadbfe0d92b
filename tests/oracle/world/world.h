// A world: one process that executes operations and records what each came to. It knows nothing of whether a shim stands
// in front of its libc; the driver runs it once without and once with, and compares the records.
//
// Operations go through libc, as a program's do. What the harness needs for itself is a bare system call (raw.h), and is
// done in both worlds alike.
#ifndef ORACLE_WORLD_H
#define ORACLE_WORLD_H

#include <poll.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/select.h>

#include "../op.h"
#include "raw.h"

typedef struct World {
  int fd[SLOTS];        // the number last put into each slot; -1 before
  struct pollfd array[ARRAYS][ENTRIES];
  int length[ARRAYS];
  fd_set wanted[SETS][3];  // select's sets, as the program would fill them in before each call
  fd_set set[SETS][3];
  int child[CHILDREN];
  FILE* stream[STREAMS];
  int stream_fd[STREAMS];
  int action[65], action_slot[65], action_array[65];
  bool bypassed;        // a descriptor went behind libc's back: an answer may be a verification period late
  bool nested;          // an epoll set was put into another one
  bool asked;           // an epoll set was asked without waiting
  bool tight;           // the descriptor limit was lowered
  bool alone;           // a child: no other threads
  bool shares_memory;   // a child of vfork, to which the shim's own numbers show
} World;

extern World world;
extern Shared* shared;
extern const char* shared_path;
extern const char* folder;  // for files of this world
extern bool leaves_by_exit;  // through the exit handlers, where a report of coverage is written

// Recording (trace.c). Each operation ends with at least one say().
void say(int value);
void say_result(long result);        // and errno if it is negative
void say_new(int slot, int fd);      // a descriptor that came: its number, kept in the slot
void say_bytes(const void* data, long count);
void begin_record(unsigned op);

// What a thread records while another does: kept apart, and put into the common record in a fixed place.
typedef struct Aside {
  unsigned words;
  int word[256];
} Aside;
extern _Thread_local Aside* aside;
void join_record(unsigned op, const Aside* from);

bool is_epoll_set(int fd);  // by the kernel, asked beside libc

// A descriptor by its slot.
static inline int fd_of(int slot) { return world.fd[(unsigned)slot % SLOTS]; }

// Executing (interpret.c).
void run(unsigned from, unsigned to);
void execute(unsigned at);
unsigned block_end(unsigned at, unsigned to);

// Threads (thread.c).
void run_on(unsigned thread, unsigned at);
void run_during(unsigned at, unsigned end);
bool anyone_waits(void);

// Processes (process.c).
void run_fork(unsigned at, unsigned end);
void run_vfork(unsigned at, unsigned end);
void run_exec(unsigned at, unsigned end);
void forget_closed(void);

// Signals (signal.c).
enum { SIGNAL_NUDGE = 36 };  // ends the waits of run_during(); never blocked
void prepare_signals(void);
void say_signals(void);  // what handlers did since
extern _Thread_local sigjmp_buf* jump;
extern int handlers;  // that run just now

// Waits (wait.c).
struct Timeout {
  int ms;
  struct timespec spec;
  bool guarded;
  long began_ns;
};
extern _Thread_local bool waits_for_ever;  // in run_during(), which ends the wait itself
// Gets a timeout ready; one without end is cut short by a signal.
void begin_wait(struct Timeout* timeout, int argument);
void end_wait(struct Timeout* timeout, long result);
void leave_wait(void);  // instead of end_wait(), when a handler left it
sigset_t* mask_of(int argument, sigset_t* set);
bool settle_bypass(bool same);  // whether the wait is to be made once more
int milliseconds(int argument);

// Making nothing wait for ever, and nothing depend on time (settle.c).
void settle_readable(int fd);
void settle_terminal(int fd);
void make_nonblocking(int fd);
void pause_ms(int ms);
void check_all(void);


// A process that executes one sequence (start.c).
void attach(const char* path);                 // `shared`
void have_own_network(void);                   // if it may: ports are nobody else's then
void execute_sequence(void);                   // does not return
int32_t in_child(bool by_clone);               // executes the sequence in a child; its wait status
int exec_continues(int argc, char** argv);     // -1: it does not

#define OP(name, ...) void op_##name(const int32_t* a);
#include "../op.def"
#undef OP

#endif
