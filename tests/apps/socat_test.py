"""socat under the shim: relays between TCP, Unix sockets, pipes, pseudo-terminals and child processes.

A forking listener, half-closed directions, slow ends and large transfers; everything that goes in must come out.
"""

import os
import signal
import subprocess

from harness import (AppTest, EchoServer, connect, crowd, echo_round, exchange, find_program, in_parallel, payload,
                     read_all, read_exact, read_slowly, run_tests, send_slowly, sha256)


class SocatTest(AppTest):
    needs = ('socat',)

    def socat(self, *addresses, **options):
        return self.start([find_program('socat'), *addresses], **options)

    def relay(self, target, listener='TCP-LISTEN:{},bind=127.0.0.1,reuseaddr,fork,backlog=200', options=()):
        return self.start_server(lambda port: [find_program('socat'), *options, listener.format(port), target])

    def test_a_forking_relay_with_many_connections(self):
        echo = EchoServer()
        self.addCleanup(echo.close)
        program, port = self.relay(f'TCP:127.0.0.1:{echo.port}')
        with crowd(port, 60) as sockets:
            for number in range(3):
                echo_round(self, sockets, f'round{number}')
            self.assertEqual(len(program.children()), 60)
        for answer in in_parallel(30, lambda index: exchange(port, payload(100000, index))):
            self.assertEqual(len(answer), 100000)
        program.wait_until(lambda: len(program.children()) == 0, 'the children have ended')
        self.assertEqual(program.stop(signal.SIGTERM), 143)
        if self.under_the_shim():
            self.assertGreater(len(program.counters().processes), 90)

    def test_large_transfers_half_closed_and_slow_ends(self):
        echo = EchoServer()
        self.addCleanup(echo.close)
        _, port = self.relay(f'TCP:127.0.0.1:{echo.port}', options=['-t', '10'])
        data = payload(16 << 20, 1)
        for answer in in_parallel(2, lambda _: exchange(port, data)):
            self.assertEqual(sha256(answer), sha256(data))
        with connect(port, receive_buffer=16384) as sock:
            sock.sendall(data[:200000])
            self.assertEqual(read_slowly(sock, 200000, piece=10000, pause=0.005), data[:200000])
        with connect(port) as sock:
            send_slowly(sock, data[:500], pieces=100, pause=0.003)
            self.assertEqual(read_exact(sock, 500), data[:500])

    def test_children_by_exec_with_pipes_and_socketpairs(self):
        for option in ('', ',pipes', ',nofork'):
            with self.subTest(option=option):
                program, port = self.relay('EXEC:sort' + option, options=['-t', '4'])
                for answer in in_parallel(10, lambda index: exchange(port, b'c\nb\n%d\na\n' % index)):
                    lines = answer.split(b'\n')
                    self.assertEqual(lines[1:], [b'a', b'b', b'c', b''])
                program.stop()

    def test_a_chain_of_tcp_unix_socket_and_echo(self):
        path = self.stage.path('socket')
        inner = self.socat(f'UNIX-LISTEN:{path},fork', 'PIPE')
        inner.wait_until(lambda: os.path.exists(path), 'the socket is there')
        _, port = self.relay(f'UNIX-CONNECT:{path}')
        with crowd(port, 20) as sockets:
            echo_round(self, sockets, 'chain')
        self.assertEqual(inner.stop(), 143)

    def test_standard_input_to_a_file_through_a_pseudo_terminal(self):
        lines = b''.join(b'line %d\n' % number for number in range(2000))
        link, out = self.stage.path('terminal'), self.stage.path('out')
        reader = self.socat('-u', f'PTY,link={link},raw,echo=0', f'CREATE:{out}')
        reader.wait_until(lambda: os.path.exists(link), 'the terminal is there')
        source = self.stage.write('in', lines)
        self.run_program([find_program('socat'), '-u', f'FILE:{source}', f'FILE:{link},raw,echo=0'])
        self.eventually(lambda: os.path.getsize(out) == len(lines), 'all has come through')
        with open(out, 'rb') as file:
            self.assertEqual(file.read(), lines)

    def test_time_limits_and_statuses_as_natively(self):
        def result(mode):
            idle, port = self.start_server(lambda port: [
                find_program('socat'), '-T', '0.3', f'TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork', 'PIPE'],
                mode=mode)
            with connect(port) as sock:
                ended = read_all(sock)  # after 0.3 s without data
            statuses = [ended, idle.stop(signal.SIGINT)]
            for addresses in (['-', 'TCP:127.0.0.1:1'], ['-u', '/dev/null', '-'], ['NOSUCH:', '-']):
                program = self.socat(*addresses, mode=mode, waits=False, stdin=subprocess.DEVNULL)
                statuses.append(program.wait())
            return statuses

        self.assertEqual(self.same_in_all_modes(result, 'statuses')[2:], [1, 0, 1])


if __name__ == '__main__':
    run_tests()
