"""node under the shim: libuv's loop, its thread pool, child processes over pipes, and a cluster.

The loop's epoll_wait and epoll_ctl calls (which newer versions send through io_uring) meet children, timers, files
read by other threads, and sockets handed from process to process.
"""

import hashlib
import json
import os
import signal
import time
import urllib.parse

from harness import (AppTest, connect, crowd, echo_round, exchange, find_program, http_get, in_parallel, payload,
                     read_all, read_slowly, run_tests, send_slowly, sha256)

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'programs', 'app.js')


def node_payload(length, seed):
    """What payload() in app.js makes."""
    blocks = (hashlib.sha256(f'{seed}:{block}'.encode()).digest() for block in range(-(-length // 32)))
    return b''.join(blocks)[:length]


def ask(port, target, **parameters):
    """A GET whose answer ends with the connection; returns (status, body)."""
    target += '?' + urllib.parse.urlencode(parameters) if parameters else ''
    with connect(port) as sock:
        sock.sendall(f'GET {target} HTTP/1.0\r\nHost: t\r\n\r\n'.encode())
        head, _, body = read_all(sock).partition(b'\r\n\r\n')
    return int(head.split()[1]), body


class NodeTest(AppTest):
    needs = ('node',)

    def app(self, *arguments, mode=None):
        program = self.start([find_program('node'), SCRIPT, *arguments], mode=mode)
        program.wait_until(lambda: program.output().endswith(b'\n'), 'both ports are printed')
        self.web, self.tcp = (int(word) for word in program.output().split())
        return program


class Loop(NodeTest):
    def test_many_connections_timers_and_files(self):
        app = self.app()
        path = self.stage.write('file', payload(3 << 20, 1))

        def client(index):
            with connect(self.web) as sock:
                for turn in range(5):
                    target = f'/bytes?length={1000 + index}&seed={turn}'
                    self.assertEqual(http_get(None, target, sock=sock), (200, node_payload(1000 + index, turn)))
            if index % 10 == 0:
                self.assertEqual(sha256(ask(self.web, '/file', path=path)[1]), sha256(payload(3 << 20, 1)))
            if index % 10 == 1:
                began = time.monotonic()
                self.assertEqual(ask(self.web, '/timer', ms=100)[1], b'late')
                self.assertTrue(0.099 <= time.monotonic() - began < 5)

        with crowd(self.tcp, 300) as idle:
            echo_round(self, idle, 'before')
            in_parallel(60, client)
            for sock in idle[::2]:
                sock.close()
            echo_round(self, idle[1::2], 'after')
        self.assertEqual(app.stop(signal.SIGTERM), 0)

    def test_large_transfers_slow_and_half_closed_clients(self):
        app = self.app()
        data = payload(16 << 20, 2)

        def client(index):
            if index < 3:
                self.assertEqual(sha256(exchange(self.tcp, data)), sha256(data))
            elif index < 6:
                with connect(self.web) as sock:
                    sock.sendall(b'POST /hash HTTP/1.0\r\nContent-Length: %d\r\n\r\n' % len(data) + data)
                    self.assertTrue(read_all(sock).endswith(sha256(data).encode()))
            elif index < 10:
                with connect(self.tcp, receive_buffer=16384) as sock:
                    sock.sendall(data[:300000])
                    self.assertEqual(read_slowly(sock, 300000, piece=10000, pause=0.005), data[:300000])
            else:
                with connect(self.web) as sock:
                    send_slowly(sock, b'POST /hash HTTP/1.0\r\nContent-Length: 100\r\n\r\n' + data[:100], pieces=50)
                    self.assertTrue(read_all(sock).endswith(sha256(data[:100]).encode()))

        in_parallel(14, client)
        self.assertEqual(app.stop(signal.SIGTERM), 0)


class Children(NodeTest):
    def test_children_by_exec_shell_fork_and_synchronously(self):
        app = self.app()

        def client(index):
            if index % 4 == 0:
                self.assertEqual(ask(self.web, '/exec', text=f'text {index}')[1], b'null TEXT %d' % index)
            elif index % 4 == 1:
                answer = json.loads(ask(self.web, '/shell', command='head -c 5000000 /dev/zero; echo e >&2; exit 3')[1])
                self.assertEqual(answer, {'code': 3, 'out': 5000000, 'err': 2})
            elif index % 4 == 2:
                self.assertEqual(ask(self.web, '/spawn-sync')[1], node_payload(100000, 7))
            else:
                self.assertEqual(ask(self.web, '/fork', text=f'fork {index}')[1], b'0 FORK %d' % index)

        in_parallel(16, client)
        self.assertEqual(app.stop(signal.SIGTERM), 0)
        if self.under_the_shim():
            self.assertGreater(len(app.counters().processes), 4)

    def test_a_cluster_shares_connections_among_its_workers(self):
        app = self.app('2')
        pids = {ask(self.web, '/pid')[1] for _ in range(20)}
        self.assertEqual(pids, {str(pid).encode() for pid in app.children()})
        for answer in in_parallel(40, lambda index: exchange(self.tcp, payload(100000, index))):
            self.assertEqual(len(answer), 100000)
        self.assertEqual(app.stop(signal.SIGTERM), 0)

    def test_scripts_have_the_same_output_and_status_as_natively(self):
        script = self.stage.write('script.js', (
            'const fs = require("fs"), net = require("net");\n'
            'const server = net.createServer(s => s.end(String(s._handle.fd))).listen(0, "127.0.0.1", () => {\n'
            '  net.connect(server.address().port, "127.0.0.1").on("data", d => {\n'
            '    const file = fs.openSync("/etc/passwd"); console.log(String(d), file);\n'
            '    process.exitCode = 7; server.close(); }); });\n'))

        def result(mode):
            done = self.run_program([find_program('node'), script], mode=mode, status=7)
            return done.out, done.err

        self.same_in_all_modes(result, 'output')


if __name__ == '__main__':
    run_tests()
