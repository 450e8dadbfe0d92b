// Operations by which a descriptor goes. The numbers below 3 are the harness's own.
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "world.h"

int __close(int);
int _IO_fclose(FILE*);

static bool is_ours(int fd) { return fd < 3 && fd >= 0; }

void op_close(const int32_t* a) {
  if (is_ours(fd_of(a[0]))) return say(0);
  say_result(a[1] == 1 ? __close(fd_of(a[0])) : close(fd_of(a[0])));
}

void op_close_number(const int32_t* a) { say_result(is_ours(a[0]) ? 0 : close(a[0])); }

void op_close_range(const int32_t* a) {
  unsigned first = (unsigned)a[0] < 3 ? 3 : (unsigned)a[0];
  say_result(close_range(first, (unsigned)a[1], a[2]));
}

void op_closefrom(const int32_t* a) {
  closefrom(a[0] < 3 ? 3 : a[0]);
  say(0);
}

void op_fclose(const int32_t* a) {
  FILE** stream = &world.stream[(unsigned)a[0] % STREAMS];
  // One whose descriptor went otherwise would close another's.
  if (*stream == NULL) return say(0);
  FILE* closed = *stream;
  *stream = NULL;
  say_result(a[1] == 1 ? _IO_fclose(closed) : fclose(closed));
}

// glibc's flushes the streams and leaves their descriptors open.
void op_fcloseall(const int32_t* a) {
  (void)a;
  say_result(fcloseall());
}

void op_shutdown(const int32_t* a) { say_result(shutdown(fd_of(a[0]), a[1])); }

void op_syscall_close(const int32_t* a) {
  if (is_ours(fd_of(a[0]))) return say(0);
  say_result(syscall(SYS_close, fd_of(a[0])));
}

// A set that is asked and stands in another one by another number: docs/differences.md.
static bool must_be_seen(int fd) { return world.nested && is_epoll_set(fd); }

void op_raw_close(const int32_t* a) {
  if (must_be_seen(fd_of(a[0]))) return op_close(a);
  if (is_ours(fd_of(a[0]))) return say(0);
  world.bypassed = true;
  say((int)raw(SYS_close, fd_of(a[0])));
}

void op_raw_dup2(const int32_t* a) {
  if (must_be_seen(fd_of(a[1]))) return say((int)dup2(fd_of(a[0]), fd_of(a[1])));
  if (fd_of(a[1]) < 3) return say(0);
  world.bypassed = true;
  say((int)raw(SYS_dup3, fd_of(a[0]), fd_of(a[1]), 0));
}
