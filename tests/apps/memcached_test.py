"""memcached under the shim: four worker threads with an epoll set each (libevent), fed by a listener through pipes
or eventfds.

Text and binary protocol, values of megabytes, slow and half-closed clients, and the count of connections, which
must come back to where it was.
"""

import contextlib
import os
import signal
import socket
import struct

from harness import (AppTest, connect, crowd, exchange, find_program, in_parallel, payload, read_exact, read_slowly,
                     read_until, run_tests, send_slowly, sha256)


class Memcached:
    """A connection that speaks the text protocol."""

    def __init__(self, address, **options):
        self.sock = connect(address, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def line(self):
        return read_until(self.sock, b'\r\n')[:-2].decode()

    def set(self, key, value):
        self.sock.sendall(f'set {key} 0 0 {len(value)}\r\n'.encode() + value + b'\r\n')
        return self.line()

    def get(self, key, reader=read_exact):
        self.sock.sendall(f'get {key}\r\n'.encode())
        head = self.line()
        if head == 'END':
            return None
        value = reader(self.sock, int(head.split()[3]) + 2)[:-2]
        assert self.line() == 'END'
        return value

    def ask(self, command):
        self.sock.sendall(command.encode() + b'\r\n')
        return self.line()

    def stats(self):
        self.sock.sendall(b'stats\r\n')
        found = {}
        while (line := self.line()) != 'END':
            found[line.split()[1]] = line.split()[2]
        return found


class MemcachedTest(AppTest):
    needs = ('memcached',)

    def server(self, *more, **options):
        return self.start_server(lambda port: [
            find_program('memcached'), '-l', '127.0.0.1', '-p', port, '-U', '0', '-u', 'nobody', '-t', '4', '-m', '256',
            '-I', '32m', '-c', '1000', *more], **options)

    def test_many_clients_on_four_threads(self):
        server, port = self.server()

        def client(index):
            with Memcached(port) as cache:
                for turn in range(50):
                    value = payload(100 + turn, index)
                    self.assertEqual(cache.set(f'k{index}', value), 'STORED')
                    self.assertEqual(cache.get(f'k{index}'), value)
                    cache.ask('incr sum 1')

        with Memcached(port) as cache:
            cache.set('sum', b'0')
            with crowd(port, 300):
                in_parallel(60, client)
            self.assertEqual(cache.get('sum'), b'3000')
        self.assertEqual(server.stop(signal.SIGTERM), 0)

    def test_large_values_and_a_slow_reader(self):
        server, port = self.server()
        value = payload(16 << 20, 1)

        def client(index):
            with Memcached(port) as cache:
                self.assertEqual(cache.set(f'big{index}', value), 'STORED')
                self.assertEqual(sha256(cache.get(f'big{index}')), sha256(value))

        in_parallel(4, client)
        with Memcached(port, receive_buffer=65536) as slow, Memcached(port) as quick:
            slow.sock.sendall(b'get big1\r\n')
            for number in range(100):
                self.assertEqual(quick.set('small', str(number).encode()), 'STORED')
            head = slow.line().split()
            read = read_slowly(slow.sock, int(head[3]) + 7, piece=1 << 18)
            self.assertEqual(sha256(read[:-7]), sha256(value))
        self.assertEqual(server.stop(signal.SIGINT), 0)

    def test_slow_half_closed_and_vanishing_clients(self):
        server, port = self.server()
        with Memcached(port) as watcher:
            base = int(watcher.stats()['curr_connections'])
            with Memcached(port) as slow:
                send_slowly(slow.sock, b'set slow 0 0 10\r\n0123456789\r\n', pieces=27, pause=0.003)
                self.assertEqual(slow.line(), 'STORED')
            self.assertEqual(exchange(port, b'get slow\r\nversion\r\n').split(b'\r\n')[:3],
                             [b'VALUE slow 0 10', b'0123456789', b'END'])
            for number in range(200):
                sock = connect(port)
                sock.sendall(b'set half 0 0 1000\r\nabc' if number % 2 else b'get slow\r\n')
                if number % 3 == 0:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
                sock.close()
            self.eventually(lambda: int(watcher.stats()['curr_connections']) <= base, 'all connections are gone')
            self.assertEqual(watcher.get('half'), None)
        self.assertEqual(server.stop(), 0)

    def test_binary_protocol_pipelined(self):
        server, port = self.server()
        with connect(port) as sock:
            packets = []
            for number in range(500):
                key, value = b'b%d' % number, payload(50, number)
                packets.append(struct.pack('>BBHBBHIIQII', 0x80, 1, len(key), 8, 0, 0, len(key) + len(value) + 8,
                                           number, 0, 0, 0) + key + value)
            sock.sendall(b''.join(packets))
            for number in range(500):
                head = struct.unpack('>BBHBBHIIQ', read_exact(sock, 24))
                self.assertEqual((head[0], head[5], head[6], head[7]), (0x81, 0, 0, number))
        with Memcached(port) as cache:
            self.assertEqual(cache.get('b499'), payload(50, 499))
        self.assertEqual(server.stop(), 0)

    def test_clients_beyond_the_descriptor_limit_wait_and_are_served(self):
        server, port = self.server('-c', '100', '-o', 'no_maxconns_fast')
        # The limit is the server's own limit of descriptors: accept() fails with EMFILE and it stops listening,
        # until others leave. How many wait in the backlog by then is a matter of time.
        sockets = []
        with contextlib.suppress(TimeoutError):
            for _ in range(150):
                sockets.append(connect(port, time_limit=0.3))
        self.assertGreater(len(sockets), 60)
        for sock in sockets[:-40]:
            sock.close()
        for sock in sockets[-40:]:
            sock.settimeout(10)
            sock.sendall(b'version\r\n')
        for sock in sockets[-40:]:
            self.assertEqual(read_exact(sock, 8), b'VERSION ')
            sock.close()
        with Memcached(port) as late:
            self.assertEqual(late.set('late', b'1'), 'STORED')
        self.assertEqual(server.stop(), 0)

    def test_unix_socket(self):
        folder = self.stage.path('unix')
        os.mkdir(folder)
        os.chmod(folder, 0o777)  # the socket is made after root was given up
        path = os.path.join(folder, 'socket')
        server = self.start([find_program('memcached'), '-s', path, '-u', 'nobody', '-t', '2'])
        self.eventually(lambda: _answers(path), 'the socket answers')
        with Memcached(path) as cache:
            self.assertEqual(cache.set('a', b'1'), 'STORED')
            self.assertEqual(cache.get('a'), b'1')
        self.assertEqual(server.stop(), 0)


def _answers(path):
    try:
        connect(path).close()
        return True
    except OSError:
        return False


if __name__ == '__main__':
    run_tests()
