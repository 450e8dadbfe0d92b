// What stands, asked of the kernel by system calls that no shim sees: the numbers that are open, and what is ready.
#include <fcntl.h>
#include <poll.h>

#include "world.h"

// The program's numbers are low; where a shim's stand depends on the size of the table that the process began with.
enum { TABLE = 1024 };

void check_all(void) {
  if (world.shares_memory) return say(0);
  unsigned open = 0;
  for (int fd = 3; fd < TABLE; ++fd)
    // A number that is open, and of which libc says that it is not, is the shim's own.
    if (raw(SYS_fcntl, fd, F_GETFD) >= 0 && fcntl(fd, F_GETFD) >= 0) {
      ++open;
      say(fd);
    }
  say(-(int)open);
  struct pollfd entries[SLOTS];
  for (int i = 0; i < SLOTS; ++i) entries[i] = (struct pollfd){world.fd[i], POLLIN | POLLOUT | POLLPRI, 0};
  struct timespec none = {0, 0};
  say((int)raw(SYS_ppoll, entries, SLOTS, &none, 0, 8));
  for (int i = 0; i < SLOTS; ++i) say(entries[i].revents);
}

void op_check(const int32_t* a) {
  (void)a;
  check_all();
}
