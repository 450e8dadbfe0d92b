// An operation, as the generator makes it and a world executes it.
#ifndef ORACLE_OP_H
#define ORACLE_OP_H

#include <stdint.h>

enum {
  SLOTS = 24,
  ARRAYS = 6,
  ENTRIES = 64,
  SETS = 3,
  STREAMS = 4,
  CHILDREN = 4,
  THREADS = 4,  // 0: the main thread
  ARGUMENTS = 4,
  MAX_OPS = 1024,
};

// What an argument is.
enum Domain {
  NONE,
  NEW, SLOT, NUMBER, ODD_NUMBER, ARRAY, INDEX, LENGTH, SET, WHICH, STREAM, CHILD,
  PIPE_FLAGS, SOCKET_TYPE, EVENTFD_FLAGS, CLOEXEC, DOMAIN, RANGE_FLAGS, SEND_FLAGS, RECV_FLAGS, OPTION, HOW, WHEN, PATH,
  COUNT, BYTES, SEED, EVENTS, EPOLL_EVENTS, CONTROL, TIMEOUT, MAXIMUM, NULLS, WRONG,
  SIGNAL, SIGNALS, MASK, MASK_HOW, ACTION, BLOCK, DISABLED, LIMIT, WAY, TIMES,
};

enum OpKind {
#define OP(name, ...) OP_##name,
#include "op.def"
#undef OP
  OP_COUNT,
};

typedef struct Op {
  uint16_t kind;
  uint16_t thread;  // who executes it
  int32_t argument[ARGUMENTS];
} Op;

// Files that `open` and `freopen` know.
enum Path { PATH_NULL, PATH_ZERO, PATH_MOUNTS, PATH_FILE, PATH_FOLDER, PATH_ONLY, PATH_FIFO, PATH_FIFO_READ, PATH_MISSING, PATHS };

// When a timer ends.
enum When { WHEN_NEVER, WHEN_PAST, WHEN_FAR, WHENS };

// What a signal handler does.
enum Action { ACTION_NOTHING, ACTION_WRITE, ACTION_DRAIN, ACTION_POLL, ACTION_JUMP, ACTION_RESTART, ACTION_FORK, ACTION_DUP, ACTIONS };

// By which of the calls that do the same an operation is done: 0 is the usual one, and what the others are is the
// operation's affair.
enum { WAYS = 8 };

// Timeouts: milliseconds, or
enum { TIMEOUT_NEVER = -1, TIMEOUT_NEGATIVE = -2, TIMEOUT_NANOSECONDS = -3 };

// Socket options.
enum Option { OPTION_OOBINLINE, OPTION_LINGER, OPTION_LOWAT, OPTION_BUFFER, OPTIONS };

// A sequence and what came of it, in memory that driver and world share.
enum { TRACE_WORDS = 1 << 17 };

typedef struct Shared {
  uint32_t go;      // futex: counts sequences that were handed over
  uint32_t done;    // futex: the last of them that is done
  uint32_t quit;
  uint32_t by_clone;  // the sequence's process is made by a clone system call, not by fork()
  int32_t pid;      // of the process that executes it
  int32_t status;   // its wait status
  uint32_t current; // operation being executed
  uint32_t count;
  Op op[MAX_OPS];
  uint32_t records;
  struct { uint32_t op, at; } record[MAX_OPS * 2];  // where each operation's results begin in `word`
  uint32_t words;
  int32_t word[TRACE_WORDS];
  char world[16 * 1024];  // the state, on its way through an exec
} Shared;

#endif
