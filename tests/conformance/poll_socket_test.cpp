// poll: sockets of the network, TCP and UDP over the loopback interface.
//
// A connection goes through many states (connecting, refused, half closed, urgent data, reset), each with its own bits;
// what the kernel itself says at the same moment is compared with as well.
#include <sys/syscall.h>

#include "support/padded_array.hpp"

namespace conformance {
namespace {

constexpr int kLong = 10'000;

class PollSocketTest : public ArrayTest {};
CONFORMANCE_EVERY_SHAPE(PollSocketTest);

TEST_P(PollSocketTest, ListenerIsReadableWhileAConnectionWaits) {
  sockaddr_in address;
  const Descriptor listener = make_bound_socket(SOCK_STREAM, address);
  ASSERT_EQ(0, ::listen(listener.get(), 8));
  array.add(listener.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  for (int turn = 0; turn < 3; ++turn) {
    const Descriptor client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(0, connect_to(client.get(), address));
    EXPECT_TRUE(array.answers({POLLIN}, kLong));
    EXPECT_TRUE(array.keeps_answering({POLLIN}));
    const Descriptor server(::accept(listener.get(), nullptr, nullptr));
    EXPECT_TRUE(array.keeps_answering({0}));
  }
}

TEST_P(PollSocketTest, RefusedConnectionReportsAnError) {
  sockaddr_in address;
  const Descriptor nobody = make_bound_socket(SOCK_STREAM, address);  // bound, but not listening
  const Descriptor client(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  array.add(client.get(), POLLIN | POLLOUT);
  EXPECT_TRUE(array.keeps_answering({POLLOUT | POLLHUP}));  // a socket that was never connected
  ASSERT_EQ(-1, connect_to(client.get(), address));
  EXPECT_EQ(1, array.call(kLong));
  EXPECT_TRUE((array.subject(0).revents & POLLHUP) != 0);
  EXPECT_TRUE(array.keeps_agreeing());
}

TEST_P(PollSocketTest, ConnectingSocketBecomesWritable) {
  sockaddr_in address;
  const Descriptor listener = make_bound_socket(SOCK_STREAM, address);
  ASSERT_EQ(0, ::listen(listener.get(), 8));
  const Descriptor client(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  array.add(client.get(), POLLIN | POLLOUT);
  EXPECT_TRUE(array.keeps_agreeing());
  connect_to(client.get(), address);
  EXPECT_TRUE(array.answers({POLLOUT}, kLong));
  EXPECT_TRUE(array.keeps_answering({POLLOUT}));
}

TEST_P(PollSocketTest, StreamReportsDataThenHalfCloseThenClose) {
  Pipe pair = make_tcp_pair();
  array.add(pair.in.get(), POLLIN | POLLRDHUP);
  EXPECT_TRUE(array.keeps_answering({0}));
  put(pair.out.get());
  EXPECT_TRUE(array.answers({POLLIN}, kLong));
  EXPECT_TRUE(array.keeps_answering({POLLIN}));
  drain(pair.in.get());
  EXPECT_TRUE(array.keeps_answering({0}));
  ASSERT_EQ(0, ::shutdown(pair.out.get(), SHUT_WR));
  EXPECT_TRUE(array.answers({POLLIN | POLLRDHUP}, kLong));
  EXPECT_TRUE(array.keeps_answering({POLLIN | POLLRDHUP}));
  ASSERT_EQ(0, ::shutdown(pair.in.get(), SHUT_WR));
  EXPECT_TRUE(array.answers({POLLIN | POLLRDHUP | POLLHUP}, kLong));
  EXPECT_TRUE(array.keeps_agreeing());
}

TEST_P(PollSocketTest, HalfClosedStreamIsReadableAgainAndAgainWhoeverAsksForWhat) {
  Pipe pair = make_tcp_pair();
  array.add(pair.in.get(), POLLIN);
  array.add(pair.in.get(), POLLRDHUP);
  array.add(pair.in.get(), 0);
  EXPECT_TRUE(array.keeps_answering({0, 0, 0}));
  ASSERT_EQ(0, ::shutdown(pair.out.get(), SHUT_WR));
  EXPECT_EQ(2, array.call(kLong));
  EXPECT_TRUE(array.keeps_answering({POLLIN, POLLRDHUP, 0}));
}

TEST_P(PollSocketTest, UrgentDataIsPriority) {
  const Pipe pair = make_tcp_pair();
  array.add(pair.in.get(), POLLPRI);
  EXPECT_TRUE(array.keeps_answering({0}));
  ASSERT_EQ(1, ::send(pair.out.get(), "!", 1, MSG_OOB));
  EXPECT_TRUE(array.answers({POLLPRI}, kLong));
  EXPECT_TRUE(array.keeps_answering({POLLPRI}));
  array.subject(0).events = POLLIN | POLLPRI | POLLRDBAND;
  EXPECT_TRUE(array.keeps_agreeing());
  char byte;
  ASSERT_EQ(1, ::recv(pair.in.get(), &byte, 1, MSG_OOB));
  EXPECT_TRUE(array.keeps_agreeing());
  put(pair.out.get(), "after");
  EXPECT_TRUE(array.answers({POLLIN}, kLong));
  EXPECT_TRUE(array.keeps_agreeing());
}

// Nobody who waits is told by the kernel.
TEST_P(PollSocketTest, UrgentDataThatIsPutInLineIsReadableAtOnce) {
  const Pipe pair = make_tcp_pair();
  array.add(pair.in.get(), POLLPRI);
  ASSERT_EQ(1, ::send(pair.out.get(), "!", 1, MSG_OOB));
  EXPECT_TRUE(array.answers({POLLPRI}, kLong));
  array.subject(0).events = POLLIN;
  const int on = 1, off = 0;
  for (int round = 0; round < 20; ++round) {
    EXPECT_TRUE(array.keeps_answering({0}));
    ASSERT_EQ(0, ::setsockopt(pair.in.get(), SOL_SOCKET, SO_OOBINLINE, &on, sizeof on));
    EXPECT_TRUE(array.answers({POLLIN}, 0)) << "round " << round;
    ASSERT_EQ(0, ::syscall(SYS_setsockopt, pair.in.get(), SOL_SOCKET, SO_OOBINLINE, &off, sizeof off));
    EXPECT_TRUE(array.keeps_answering({0}));
    ASSERT_EQ(0, ::syscall(SYS_setsockopt, pair.in.get(), SOL_SOCKET, SO_OOBINLINE, &on, sizeof on));
    EXPECT_TRUE(array.answers({POLLIN}, 0)) << "round " << round;
    ASSERT_EQ(0, ::setsockopt(pair.in.get(), SOL_SOCKET, SO_OOBINLINE, &off, sizeof off));
  }
}

TEST_P(PollSocketTest, ResetReportsErrorAndHangUp) {
  Pipe pair = make_tcp_pair();
  array.add(pair.in.get(), POLLIN | POLLOUT | POLLRDHUP);
  EXPECT_TRUE(array.keeps_answering({POLLOUT}));
  const linger abort{1, 0};
  ASSERT_EQ(0, ::setsockopt(pair.out.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort));
  pair.out.close();
  for (const Stopwatch watch; (array.call(kLong), (array.subject(0).revents & POLLERR) == 0) && watch.prompt();) {
  }
  EXPECT_TRUE(array.keeps_answering({POLLIN | POLLOUT | POLLRDHUP | POLLERR | POLLHUP}));
  int error = 0;
  socklen_t length = sizeof error;
  ASSERT_EQ(0, ::getsockopt(pair.in.get(), SOL_SOCKET, SO_ERROR, &error, &length));
  EXPECT_EQ(ECONNRESET, error);
  EXPECT_TRUE(array.keeps_answering({POLLIN | POLLOUT | POLLRDHUP | POLLHUP}));  // the error was taken
}

TEST_P(PollSocketTest, FullStreamIsWritableAfterItsPeerRead) {
  const Pipe pair = make_tcp_pair();
  array.add(pair.in.get(), POLLOUT);
  EXPECT_TRUE(array.keeps_answering({POLLOUT}));
  const Stopwatch watch;
  do {
    fill(pair.in.get());
    EXPECT_TRUE(array.agrees_with_kernel());
  } while (array.call() != 0 && watch.prompt());
  EXPECT_TRUE(array.keeps_answering({0}));
  while (array.call() == 0 && watch.prompt()) drain(pair.out.get());
  EXPECT_TRUE(array.keeps_answering({POLLOUT}));
}

TEST_P(PollSocketTest, DatagramSocketIsReadableWhileADatagramWaits) {
  sockaddr_in address;
  const Descriptor socket = make_bound_socket(SOCK_DGRAM, address);
  array.add(socket.get(), POLLIN);
  EXPECT_TRUE(array.keeps_answering({0}));
  ASSERT_EQ(0, connect_to(socket.get(), address));  // to itself
  put(socket.get(), "one");
  put(socket.get(), "two");
  EXPECT_TRUE(array.answers({POLLIN}, kLong));
  EXPECT_TRUE(array.keeps_answering({POLLIN}));
  char buffer[8];
  EXPECT_EQ(3, ::recv(socket.get(), buffer, sizeof buffer, 0));
  EXPECT_TRUE(array.keeps_answering({POLLIN}));
  EXPECT_EQ(3, ::recv(socket.get(), buffer, sizeof buffer, 0));
  EXPECT_TRUE(array.keeps_answering({0}));
}

TEST_P(PollSocketTest, DatagramToNobodyReportsAnErrorUntilItIsTaken) {
  sockaddr_in nowhere;
  Descriptor gone = make_bound_socket(SOCK_DGRAM, nowhere);
  sockaddr_in own;
  const Descriptor socket = make_bound_socket(SOCK_DGRAM, own);
  ASSERT_EQ(0, connect_to(socket.get(), nowhere));
  gone.close();
  array.add(socket.get(), 0);
  EXPECT_TRUE(array.keeps_answering({0}));
  ::send(socket.get(), "x", 1, 0);
  EXPECT_TRUE(array.answers({POLLERR}, kLong));
  EXPECT_TRUE(array.keeps_answering({POLLERR}));
  char byte;
  EXPECT_EQ(-1, ::recv(socket.get(), &byte, 1, 0));
  EXPECT_EQ(ECONNREFUSED, errno);
  EXPECT_TRUE(array.keeps_answering({0}));
}

TEST_P(PollSocketTest, SocketThatChangesItsStateInPlaceIsFollowed) {
  sockaddr_in address;
  const Descriptor socket = make_bound_socket(SOCK_STREAM, address);
  array.add(socket.get(), POLLIN | POLLOUT);
  EXPECT_TRUE(array.keeps_answering({POLLOUT | POLLHUP}));
  ASSERT_EQ(0, ::listen(socket.get(), 4));
  EXPECT_TRUE(array.keeps_answering({0}));
  const Descriptor client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(0, connect_to(client.get(), address));
  EXPECT_TRUE(array.answers({POLLIN}, kLong));
  ASSERT_EQ(0, ::shutdown(socket.get(), SHUT_RD));
  EXPECT_TRUE(array.keeps_agreeing());
}

}  // namespace
}  // namespace conformance
