/* Built with a sanitizer, whose run-time wants to be the first of all objects. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

int main(void) {
  struct pollfd *fds = malloc(48 * sizeof *fds);
  for (int i = 0; i < 48; i++) fds[i] = (struct pollfd){eventfd(i == 20, 0), POLLIN, 0};
  for (int round = 0; round < 20; round++)
    if (poll(fds, 48, 0) != 1 || fds[20].revents != POLLIN) return 1;
  for (int i = 0; i < 48; i++) close(fds[i].fd);
  free(fds);
  puts("polls are right");
  return 0;
}
