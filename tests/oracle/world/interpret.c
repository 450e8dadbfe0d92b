// Executes operations in their order; those that open a block hand what is inside to its executor.
#include <errno.h>

#include "world.h"

static void (*const table[])(const int32_t*) = {
#define OP(name, ...) op_##name,
#include "../op.def"
#undef OP
};

static void (*block_of(unsigned kind))(unsigned, unsigned) {
  switch (kind) {
    case OP_fork: return run_fork;
    case OP_vfork: return run_vfork;
    case OP_exec: return run_exec;
    case OP_during: return run_during;
    default: return NULL;
  }
}

// These stand for themselves in the table: a block is executed by run().
void op_fork(const int32_t* a) { (void)a; }
void op_vfork(const int32_t* a) { (void)a; }
void op_exec(const int32_t* a) { (void)a; }
void op_during(const int32_t* a) { (void)a; }

// By the thread that is to execute it.
void execute(unsigned at) {
  shared->current = at;
  begin_record(at);
  errno = 0;
  sigjmp_buf here;
  sigjmp_buf* before = jump;
  if (sigsetjmp(here, 1) == 0) {
    jump = &here;
    table[shared->op[at].kind](shared->op[at].argument);
  } else {
    say(-1000);  // a handler left the operation
    leave_wait();
  }
  jump = before;
  say_signals();
  if (world.tight && !world.shares_memory && !anyone_waits()) forget_closed();
}

unsigned block_end(unsigned at, unsigned to) {
  unsigned length = (unsigned)shared->op[at].argument[0];
  return length < to - at - 1 ? at + 1 + length : to;
}

void run(unsigned from, unsigned to) {
  for (unsigned at = from; at < to; ++at) {
    void (*block)(unsigned, unsigned) = block_of(shared->op[at].kind);
    unsigned thread = world.alone ? 0 : shared->op[at].thread % THREADS;
    if (block != NULL) {
      unsigned end = block_end(at, to);
      block(at, end);
      at = end - 1;
    } else if (thread != 0) {
      run_on(thread, at);
    } else {
      execute(at);
    }
  }
}
