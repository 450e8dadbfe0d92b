/* An echo server: one queue, one thread, level-triggered descriptors.
 *
 *   echo_server [PORT]    prints the port that it listens on; ends on SIGTERM, which is an event like any other
 */
#define _GNU_SOURCE
#include <kev/kev.h>

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int listen_on(unsigned short port) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof at;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) < 0 || listen(fd, 128) < 0) return -1;
  getsockname(fd, (struct sockaddr *)&at, &size);
  printf("port %d\n", ntohs(at.sin_port));
  fflush(stdout);
  return fd;
}

static void echo(kev_queue *queue, int fd) {
  char buffer[4096];
  ssize_t size = read(fd, buffer, sizeof buffer);
  if (size <= 0 || write(fd, buffer, (size_t)size) != size) kev_close_fd(queue, fd);
}

int main(int argc, char **argv) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGTERM);
  sigprocmask(SIG_BLOCK, &mask, NULL);

  kev_attr attr = {.flags = KEV_Q_SINGLE};
  kev_queue *queue;
  int listener = listen_on(argc > 1 ? (unsigned short)atoi(argv[1]) : 0);
  if (listener < 0 || kev_create(&queue, &attr, sizeof attr) < 0) return 1;
  kev_add_signal(queue, SIGTERM, 0, 0);
  kev_add_fd(queue, listener, KEV_IN, 0, 0);

  for (;;) {
    kev_event events[64];
    int count = kev_wait(queue, events, 1, 64, NULL, NULL);
    for (int i = 0; i < count; ++i) {
      int fd = (int)events[i].ident;
      if (events[i].source == KEV_SOURCE_SIGNAL) {
        printf("ended by process %d\n", (int)(events[i].data[0] & 0xffffffff));
        return kev_destroy(queue) < 0;
      }
      if (fd != listener) {
        echo(queue, fd);
      } else if ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        kev_add_fd(queue, fd, KEV_IN, 0, 0);
      }
    }
  }
}
