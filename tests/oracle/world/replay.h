// A sequence as a program: what the oracle prints for a difference that it found. The program executes the sequence and
// prints what each operation came to; run natively and under the shim it must print the same.
#ifndef ORACLE_REPLAY_H
#define ORACLE_REPLAY_H

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "../op.h"

int replay(int argc, char** argv, const Op* op, unsigned count, int by_clone);

#define OP_AS(thread_, name, ...) {OP_##name, thread_, {__VA_ARGS__}}
#define REPLAY(by_clone, ...)                                                          \
  int main(int argc, char** argv) {                                                    \
    static const Op sequence[] = {__VA_ARGS__};                                        \
    return replay(argc, argv, sequence, sizeof sequence / sizeof *sequence, by_clone); \
  }

#endif
