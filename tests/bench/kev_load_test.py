"""kev-load: each protocol against a server that speaks it, and servers that do what no server should."""

import os
import pathlib
import socket
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / 'tests' / 'apps'))

from harness import AppTest, EchoServer, HttpBackend, find_program, run_tests  # noqa: E402

LOAD = os.environ.get('KEV_LOAD', str(ROOT / 'build' / 'bench' / 'load' / 'kev-load'))


def kev_load(port, protocol, *commands):
    """Runs the commands; returns what subprocess.run does, with text."""
    return subprocess.run([LOAD, f'--port={port}', f'--protocol={protocol}'], text=True, capture_output=True,
                          input=''.join(command + '\n' for command in commands), timeout=60, check=False)


class ScriptedServer:
    """Accepts connections and answers the requests of each with `answers`, in turn; None: it closes."""

    def __init__(self, answers):
        self.answers, self.sockets = answers, []
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.sockets.append(sock)
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        with sock:
            for number, answer in enumerate(self.answers):
                if not sock.recv(1000) or answer is None:
                    return
                self.before(number, sock)
                sock.sendall(answer)
            sock.recv(1000)

    def before(self, number, sock):
        """What is done before answer `number` on a connection."""

    def close(self):
        self.listener.close()


class ClosingServer(ScriptedServer):
    """Before the second answer on a connection it closes all others."""

    def before(self, number, sock):
        for other in self.sockets:
            if number == 1 and other is not sock:
                other.shutdown(socket.SHUT_RDWR)


class Protocols(AppTest):
    def works(self, port, protocol):
        done = kev_load(port, protocol, 'open 5', 'run 1 0.05', 'open 70', 'run 16 0.05', 'run 70 0')
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        opened, one, more, many, once = (line.split() for line in done.stdout.splitlines())
        self.assertEqual((opened, more), (['5'], ['70']))
        for requests, seconds in (one, many):
            self.assertGreater(int(requests), 1)
            self.assertGreaterEqual(float(seconds), 0.05)
        self.assertEqual(once[0], '70', 'each makes a request where there is no time for two')

    def test_echo(self):
        server = EchoServer()
        self.addCleanup(server.close)
        self.works(server.port, 'echo')

    def test_http(self):
        server = HttpBackend()
        self.addCleanup(server.close)
        self.works(server.port, 'http')
        self.assertGreater(server.requests, 140)

    def test_memcached(self):
        if not find_program('memcached'):
            self.skipTest('memcached is not installed')
        _, port = self.start_server(lambda port: [find_program('memcached'), '-l', '127.0.0.1', '-p', port, '-U', '0',
                                                  '-u', 'nobody'], mode='native')
        self.works(port, 'memcached')


class Failures(AppTest):
    def fails(self, answers, message, *commands):
        server = ScriptedServer(answers)
        self.addCleanup(server.close)
        done = kev_load(server.port, 'http', *commands)
        self.assertEqual(done.returncode, 1)
        self.assertIn(message, done.stderr)

    def test_another_answer(self):
        self.fails([b'HTTP/1.1 200 OK\r\n\r\n', b'HTTP/1.1 503 No\r\n\r\n'], 'another answer', 'open 2', 'run 1 1')

    def test_more_than_was_asked(self):
        self.fails([b'HTTP/1.1 200 OK\r\n\r\nHTTP'], 'more than was asked', 'open 1')

    def test_a_closed_busy_connection(self):
        self.fails([b'HTTP/1.1 200 OK\r\n\r\n', None], 'closed a busy connection', 'open 1', 'run 1 1')

    def test_a_closed_idle_connection(self):
        server = ClosingServer([b'HTTP/1.1 200 OK\r\n\r\n'] * 2)
        self.addCleanup(server.close)
        done = kev_load(server.port, 'http', 'open 3', 'run 1 0')
        self.assertEqual((done.returncode, done.stdout), (1, '3\n'))
        self.assertIn('closed an idle connection', done.stderr)

    def test_commands_and_options(self):
        self.assertEqual(kev_load(1, 'http', 'fly').returncode, 1)
        self.assertEqual(kev_load(1, 'gopher').returncode, 1)
        self.assertEqual(kev_load(0, 'http').returncode, 2)


if __name__ == '__main__':
    run_tests()
