// An echo server: a coroutine for each connection.
//
//   echo_server [PORT]    prints the port that it listens on; ends on SIGTERM
#include <kev/kev.hpp>

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>

#include <cstdio>
#include <cstdlib>

static kev::Task<> echo(kev::Loop& loop, int fd) {
  char buffer[4096];
  while (co_await loop.readable(fd, std::chrono::minutes(1))) {
    ssize_t size = read(fd, buffer, sizeof buffer);
    if (size <= 0 || write(fd, buffer, static_cast<size_t>(size)) != size) break;
  }
  close(fd);
}

static kev::Task<> serve(kev::Loop& loop, int listener) {
  while (co_await loop.readable(listener))
    if (int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); fd >= 0) loop.spawn(echo(loop, fd));
}

static kev::Task<> end(kev::Loop& loop) {
  kev::Event event = co_await loop.signal(SIGTERM);
  std::printf("ended by process %d\n", static_cast<int>(event.data[0] & 0xffffffff));
  loop.stop();
}

int main(int argc, char** argv) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGTERM);
  sigprocmask(SIG_BLOCK, &mask, nullptr);

  sockaddr_in at{};
  socklen_t size = sizeof at;
  at.sin_family = AF_INET;
  at.sin_port = htons(static_cast<in_port_t>(argc > 1 ? std::atoi(argv[1]) : 0));
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (bind(listener, reinterpret_cast<sockaddr*>(&at), size) < 0 || listen(listener, 128) < 0) return 1;
  getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size);
  std::printf("port %d\n", ntohs(at.sin_port));
  std::fflush(stdout);

  kev::Loop loop;
  loop.spawn(serve(loop, listener));
  loop.spawn(end(loop));
  return loop.run() ? 1 : 0;
}
