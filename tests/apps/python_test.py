"""Python's selectors and asyncio under the shim, on epoll, poll and select, with hundreds of connections.

This is where poll and select arrays are large: the core must answer, exactly, while connections come, go and take
over each other's descriptor numbers.
"""

import signal
import socket
import time

from harness import (AppTest, connect, crowd, echo_round, exchange, in_parallel, payload, read_all,
                     read_exact, read_slowly, read_until, run_tests, send_slowly, sha256)

PYTHON = '/usr/bin/python3'  # the distribution's, whatever runs this test
KINDS = ('epoll', 'poll', 'select')
PROGRAMS = __file__.rpartition('/')[0] + '/programs/'


class PythonTest(AppTest):
    needs = (PYTHON,)

    def launch(self, script, argument, core=None):
        """Starts a script of programs/ that prints its port."""
        program = self.start([PYTHON, PROGRAMS + script, argument], name=script,
                             core=argument != 'epoll' if core is None else core)
        program.wait_until(lambda: program.output().endswith(b'\n'), 'the port is printed')
        return program, int(program.output().split()[0])


class Selectors(PythonTest):
    def crowded(self, kind):
        server, port = self.launch('selector_echo.py', kind)
        with crowd(port, 400) as sockets:
            for number in range(5):
                echo_round(self, sockets, f'all{number}')
            for number in range(100):
                echo_round(self, sockets[number * 3:number * 3 + 2], f'two{number}')
            # Numbers change hands: every second one leaves, and newcomers take their places.
            for sock in sockets[::2]:
                sock.close()
            echo_round(self, sockets[1::2], 'rest')
            with crowd(port, 200) as newcomers:
                echo_round(self, newcomers, 'new')
                echo_round(self, sockets[1::2], 'old')
                for number in range(200):
                    newcomers[number].close()
                    newcomers[number] = connect(port)
                    echo_round(self, [newcomers[number], sockets[1]], f'turn{number}')
                for sock in newcomers:
                    sock.close()
            for sock in sockets[1::2]:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
        with connect(port) as last:
            echo_round(self, [last], 'last')
        self.assertEqual(server.stop(signal.SIGTERM), 0)
        self.assertEqual(server.output().split()[1], b'801')

    def test_epoll_with_a_changing_crowd(self):
        self.crowded('epoll')

    def test_poll_with_a_changing_crowd(self):
        self.crowded('poll')

    def test_select_with_a_changing_crowd(self):
        self.crowded('select')

    def test_large_transfers_beside_slow_and_half_closed_clients(self):
        for kind in KINDS:
            with self.subTest(kind=kind):
                server, port = self.launch('selector_echo.py', kind)
                data = payload(4 << 20, 1)

                def client(index):
                    if index % 3 == 0:
                        self.assertEqual(sha256(exchange(port, data[index:])), sha256(data[index:]))
                    elif index % 3 == 1:
                        with connect(port, receive_buffer=16384) as sock:
                            sock.sendall(data[:1 << 20])
                            sock.shutdown(socket.SHUT_WR)
                            self.assertEqual(read_slowly(sock, 1 << 20, piece=1 << 16, pause=0.01), data[:1 << 20])
                            self.assertEqual(read_all(sock), b'')
                    else:
                        with connect(port) as sock:
                            send_slowly(sock, data[:2000], pieces=40, pause=0.005)
                            self.assertEqual(read_exact(sock, 2000), data[:2000])

                with crowd(port, 100) as idle:
                    in_parallel(12, client)
                    echo_round(self, idle, 'idle')
                self.assertEqual(server.stop(signal.SIGTERM), 0)

    def test_an_idle_server_sleeps(self):
        for kind in KINDS:
            with self.subTest(kind=kind):
                server, port = self.launch('selector_echo.py', kind)
                with crowd(port, 300) as sockets:
                    echo_round(self, sockets, 'before')
                    for _ in range(600):  # the core takes an array over when that has paid
                        echo_round(self, sockets[:1], 'one')
                    before = cpu_ticks(server.pid)
                    time.sleep(1)
                    self.assertLessEqual(cpu_ticks(server.pid) - before, 3)
                    echo_round(self, sockets, 'after')


class Asyncio(PythonTest):
    def app(self, kind):
        app, port = self.launch('asyncio_app.py', kind)

        def ask(sock, line):
            sock.sendall(line.encode() + b'\n')
            return read_until(sock, b'\n')[:-1].decode()

        def client(index):
            with connect(port) as sock:
                for turn in range(10):
                    self.assertEqual(ask(sock, f'ECHO hello {index} {turn}'), f'hello {index} {turn}')
                if index % 10 == 0:
                    self.assertEqual(ask(sock, f'RUN child {index}'), f'0 CHILD {index}')
                    self.assertEqual(ask(sock, f'THREAD thread {index}'), f'THREAD {index}')
                if index % 10 == 1:
                    began = time.monotonic()
                    self.assertEqual(ask(sock, 'SLEEP 150'), 'slept')
                    self.assertTrue(0.149 <= time.monotonic() - began < 5)
                if index % 10 == 2:
                    body = payload(500000, index)
                    sock.sendall(b'HASH 500000\n' + body)
                    self.assertEqual(read_until(sock, b'\n')[:-1].decode(), sha256(body))
                if index % 10 == 3:
                    sock.sendall(b'BYTES 1000000 %d\n' % index)
                    sock.shutdown(socket.SHUT_WR)
                    self.assertEqual(read_slowly(sock, 1000000, pause=0.002), payload(1000000, index))
                    self.assertEqual(read_all(sock), b'sent\n')

        with crowd(port, 250) as idle:
            in_parallel(60, client)
            for number in range(5):
                app.send(signal.SIGHUP)
                self.eventually(lambda: ask(idle[0], 'SIGNALS') == str(number + 1), 'the signal is counted')
            for sock in idle[::5]:
                self.assertEqual(ask(sock, 'ECHO still here'), 'still here')
            self.assertEqual(app.stop(signal.SIGTERM), 0)
        self.assertNotIn(b'Traceback', app.errors())

    def test_epoll(self):
        self.app('epoll')

    def test_poll(self):
        self.app('poll')

    def test_select(self):
        self.app('select')


class Library(PythonTest):
    def test_odd_calls_have_the_same_results_as_natively(self):
        text = self.same_in_all_modes(
            lambda mode: self.run_program([PYTHON, PROGRAMS + 'select_calls.py'], mode=mode).text, 'results')
        self.assertEqual(text.split()[-1], 'True')

    def test_socketserver_threads_and_forks(self):
        for mixin in ('ThreadingMixIn', 'ForkingMixIn'):
            with self.subTest(mixin=mixin):
                program, port = self.launch('upper_server.py', mixin, core=False)
                for answer in in_parallel(30, lambda index: exchange(port, b'line %d\n' % index * 1000)):
                    self.assertEqual(answer.count(b'LINE '), 1000)
                self.assertEqual(program.stop(), 0)


def cpu_ticks(pid):
    """User and system time of a process, in clock ticks of 10 ms."""
    with open(f'/proc/{pid}/stat', encoding='ascii', errors='replace') as file:
        fields = file.read().rpartition(')')[2].split()
    return int(fields[11]) + int(fields[12])


if __name__ == '__main__':
    run_tests()
