// A server with open connections, for those who kill it: says its port and serves until it is ended.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "support/scenario.hpp"

using namespace scenario;

SCENARIO(serve) {
  pollfd fds[64];
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  const int one = 1;  // whoever is to take the port over needs it of the former owner, too
  CHECK(::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  CHECK(::bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0 && ::listen(listener, 64) == 0);
  CHECK(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  say("%d\n", ntohs(address.sin_port));
  fds[0] = {listener, POLLIN, 0};
  for (nfds_t count = 1;;) {
    CHECK(::poll(fds, count, -1) > 0);
    for (nfds_t i = count - 1; i > 0; --i) {
      if (fds[i].revents == 0) continue;
      char byte;
      CHECK(::read(fds[i].fd, &byte, 1) == 1 && ::write(fds[i].fd, &byte, 1) == 1);
    }
    if (fds[0].revents != 0) fds[count++] = {::accept(listener, nullptr, nullptr), POLLIN, 0};
  }
}

SCENARIO_MAIN
