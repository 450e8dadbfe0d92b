"""An echo server on Python's selectors module: selector_echo.py epoll|poll|select [BACKLOG].

Prints its port, serves until SIGTERM, answers half-closed clients in full, and ends with status 0 after printing
how many connections it served and how many bytes it sent back. Also the server of scripts/run.
"""

import collections
import selectors
import signal
import socket
import sys

SELECTORS = {'epoll': 'EpollSelector', 'poll': 'PollSelector', 'select': 'SelectSelector'}
PIECE = 1 << 16
MOST_PENDING = 1 << 20  # bytes kept for a client that does not read, before we stop reading from it


class Client:
    """One connection: what is still to be sent, and whether its end of file was seen."""

    def __init__(self, sock):
        self.sock, self.pending, self.length, self.ended = sock, collections.deque(), 0, False


class Server:
    def __init__(self, kind, backlog):
        self.selector = getattr(selectors, SELECTORS[kind])()
        self.connections = self.bytes = 0
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=backlog)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ, None)
        # A signal writes into this pair and so ends the wait.
        self.wake_read, self.wake_write = socket.socketpair()
        self.wake_write.setblocking(False)
        self.selector.register(self.wake_read, selectors.EVENT_READ, None)
        signal.set_wakeup_fd(self.wake_write.fileno())
        signal.signal(signal.SIGTERM, lambda *_: None)

    def run(self):
        print(self.listener.getsockname()[1], flush=True)
        while True:
            for key, events in self.selector.select(5):
                if key.fileobj is self.wake_read:
                    return
                if key.fileobj is self.listener:
                    self.accept()
                else:
                    self.serve(key.data, events)

    def accept(self):
        try:
            sock, _ = self.listener.accept()
        except BlockingIOError:
            return
        sock.setblocking(False)
        self.connections += 1
        self.selector.register(sock, selectors.EVENT_READ, Client(sock))

    def serve(self, client, events):
        try:
            if events & selectors.EVENT_READ:
                data = client.sock.recv(PIECE)
                if data:
                    client.pending.append(data)
                    client.length += len(data)
                else:
                    client.ended = True
            while client.pending:
                data = client.pending[0]
                sent = client.sock.send(data)
                self.bytes += sent
                client.length -= sent
                if sent < len(data):
                    client.pending[0] = data[sent:]
                    break
                client.pending.popleft()
        except BlockingIOError:
            pass
        except OSError:
            client.pending.clear()
            client.ended = True
        self.arm(client)

    def arm(self, client):
        """Waits for what the client can be served next; a client that is done is closed."""
        wanted = 0
        if not client.ended and client.length < MOST_PENDING:
            wanted |= selectors.EVENT_READ
        if client.pending:
            wanted |= selectors.EVENT_WRITE
        if not wanted:
            self.selector.unregister(client.sock)
            client.sock.close()
        elif self.selector.get_key(client.sock).events != wanted:
            self.selector.modify(client.sock, wanted, client)


if __name__ == '__main__':
    server = Server(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1024)
    server.run()
    print(f'{server.connections} connections, {server.bytes} bytes', flush=True)
