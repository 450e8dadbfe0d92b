"""haproxy under the shim, with each of its three pollers: epoll, poll and select.

TCP and HTTP proxying to servers of this test, half-closed and slow clients, large transfers, reload by the master
process with the listening sockets handed over as messages (SCM_RIGHTS), and a soft stop that lets sessions end.
"""

import contextlib
import os
import signal
import socket
import threading
import time

from harness import (AppTest, EchoServer, HttpBackend, connect, crowd, echo_round, exchange, find_program, free_port,
                     http_get, in_parallel, payload, read_all, read_exact, read_http, read_slowly, run_tests,
                     send_slowly, sha256, wait_for_port)

CONFIGURATION = '''
global
  maxconn 450
  nbthread {threads}
  stats socket {folder}/admin mode 600 level admin expose-fd listeners
  {pollers}
defaults
  timeout connect 5s
  timeout client 20s
  timeout server 20s
listen tcp
  mode tcp
  bind 127.0.0.1:{tcp}
  server echo 127.0.0.1:{echo}
frontend http
  mode http
  bind 127.0.0.1:{http}
  http-request return status 200 content-type text/plain string "{version}" if {{ path /version }}
  default_backend web
backend web
  mode http
  balance roundrobin
  http-reuse always
  server a 127.0.0.1:{first} check inter 200ms
  server b 127.0.0.1:{second} check inter 200ms
'''
POLLERS = {'epoll': '', 'poll': 'noepoll', 'select': 'noepoll\n  nopoll'}


class HaproxyTest(AppTest):
    needs = ('haproxy',)

    def setUp(self):
        super().setUp()
        self.echo, self.first, self.second = EchoServer(), HttpBackend('a'), HttpBackend('b')
        for backend in (self.echo, self.first, self.second):
            self.addCleanup(backend.close)

    def configure(self, version, pollers='', threads=1):
        return self.stage.write('haproxy.cfg', CONFIGURATION.format(
            folder=self.stage.folder, version=version, tcp=self.tcp, http=self.http, echo=self.echo.port,
            first=self.first.port, second=self.second.port, pollers=pollers, threads=threads))

    def server(self, poller='epoll', threads=1, master=False, core=False):
        self.http = free_port()

        def command(port):
            self.tcp = port
            return [find_program('haproxy'), '-V', '-f', self.configure('one', POLLERS[poller], threads),
                    *(['-W', '-S', self.stage.path('master')] if master else ['-db'])]

        self.haproxy, _ = self.start_server(command, core=core)
        wait_for_port(self.http, 15, self.haproxy.alive)
        return self.haproxy

    def version(self):
        return http_get(self.http, '/version')[1].decode()

    def admin(self, command, name='admin'):
        return exchange(self.stage.path(name), command.encode() + b'\n').decode()


class Pollers(HaproxyTest):
    """The same traffic through each poller."""

    def traffic(self, poller, threads=1):
        self.server(poller, threads, core=poller != 'epoll')
        self.assertIn(f'Using {poller}()'.encode(), self.haproxy.output() + self.haproxy.errors())
        with crowd(self.tcp, 200) as idle:
            for number in range(3):
                echo_round(self, idle, f'round{number}')
            echo_round(self, idle[::7], 'some')
            data = payload(300000, 1)
            for answer in in_parallel(20, lambda index: exchange(self.tcp, data[index:])):
                self.assertTrue(data.endswith(answer) and len(answer) > 299000)
            for sock in idle[:50]:  # their numbers are taken by others
                sock.close()

            def browse(index):
                for turn in range(5):
                    length = 1000 + index * 31 + turn
                    self.assertEqual(http_get(self.http, f'/bytes/{length}/{turn}'), (200, payload(length, turn)))

            in_parallel(20, browse)
            echo_round(self, idle[50:], 'last')
        self.assertGreater(self.first.requests, 20)
        self.assertGreater(self.second.requests, 20)
        self.assertEqual(self.haproxy.stop(signal.SIGUSR1), 0)

    def test_epoll(self):
        self.traffic('epoll')

    def test_epoll_with_two_threads(self):
        self.traffic('epoll', threads=2)

    def test_poll(self):
        self.traffic('poll')

    def test_poll_with_two_threads(self):
        self.traffic('poll', threads=2)

    def test_select(self):
        self.traffic('select')


class Transfers(HaproxyTest):
    def test_large_transfers_and_half_closed_clients(self):
        for poller in POLLERS:
            with self.subTest(poller=poller):
                self.server(poller)
                data = payload(16 << 20, 2)
                for answer in in_parallel(2, lambda _: self.both_ways(data)):
                    self.assertEqual(sha256(answer), sha256(data))
                self.assertEqual(exchange(self.tcp, data[:200000]), data[:200000])
                status, body = http_get(self.http, f'/bytes/{24 << 20}/3')
                self.assertEqual((status, sha256(body)), (200, sha256(payload(24 << 20, 3))))
                self.assertEqual(self.haproxy.stop(signal.SIGUSR1), 0)

    def both_ways(self, data):
        """Sends and reads at once; closes its sending half when all is back and awaits the end of file.

        (A client that half-closes earlier, with megabytes still on the way back, is now and then reset by haproxy on
        a busy machine, natively too.)
        """
        with connect(self.tcp) as sock:
            sender = threading.Thread(target=sock.sendall, args=(data,), daemon=True)
            sender.start()
            answer = read_exact(sock, len(data))
            sender.join()
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(read_all(sock), b'')
            return answer

    def test_slow_clients_and_slow_servers(self):
        self.server('poll')

        def one(index):
            with connect(self.http, receive_buffer=8192) as sock:
                send_slowly(sock, f'GET /slow/300000/{index} HTTP/1.1\r\nHost: t\r\n\r\n'.encode(), pieces=10)
                status, body = read_http(sock, lambda s, n: read_slowly(s, n, piece=30000, pause=0.01))
                self.assertEqual((status, sha256(body)), (200, sha256(payload(300000, index))))

        in_parallel(20, one)
        with connect(self.tcp) as sock:
            send_slowly(sock, payload(5000, 4), pieces=50)
            self.assertEqual(read_exact(sock, 5000), payload(5000, 4))

    def test_a_dead_server_is_noticed_and_left_out(self):
        self.server()
        self.second.server.shutdown()
        self.second.server.server_close()
        self.eventually(lambda: 'DOWN' in self.admin('show stat'), 'the server is down')
        for number in range(20):
            self.assertEqual(http_get(self.http, f'/bytes/100/{number}'), (200, payload(100, number)))
        with crowd(self.http, 5) as waiting:
            time.sleep(0.1)
            self.assertIn(self.haproxy.stop(signal.SIGTERM), (0, 143, -15))  # by version
            for sock in waiting:
                self.assertEqual(read_all(sock), b'')


class Reload(HaproxyTest):
    def test_master_reloads_its_worker_and_loses_no_request(self):
        self.server(master=True)
        # The master executes itself anew once its worker runs, and hears signals after that.
        self.haproxy.wait_until(self.master_answers, 'the master answers')
        kept = connect(self.tcp)
        self.addCleanup(kept.close)
        echo_round(self, [kept], 'before')
        old = self.haproxy.children()
        seen, stop = [], time.monotonic() + 15

        def client(index):
            # The first client reloads once; the others go on until they have seen twenty new answers.
            if index == 0:
                self.eventually(lambda: len(seen) > 10, 'answers of the old configuration')
                self.configure('two')
                self.haproxy.send(signal.SIGUSR2)
                return
            new = 0
            while new < 20 and time.monotonic() < stop:
                seen.append(self.version())
                new += seen[-1] == 'two'

        in_parallel(4, client)
        self.assertEqual(set(seen), {'one', 'two'})
        self.assertEqual(self.version(), 'two')
        echo_round(self, [kept], 'after')  # the old worker serves its session to the end
        kept.close()
        self.haproxy.wait_until(lambda: not set(old) & set(self.haproxy.children()), 'the old worker has ended')
        self.assertEqual(len(self.haproxy.children()), 1)
        if self.under_the_shim():
            pids = {process['pid'] for process in self.haproxy.counters().processes}
            self.assertTrue({self.haproxy.pid, *self.haproxy.children()} <= pids, pids)
        native_status = 0  # of a master that was told to stop softly
        self.assertEqual(self.haproxy.stop(signal.SIGUSR1), native_status)

    def master_answers(self):
        with contextlib.suppress(OSError):
            return 'worker' in self.admin('show proc', 'master')

    def test_a_killed_worker_ends_the_master_as_natively(self):
        def status(mode):
            self.http = free_port()

            def command(port):
                self.tcp = port
                return [find_program('haproxy'), '-W', '-f', self.configure('one')]

            program, _ = self.start_server(command, mode=mode)
            wait_for_port(self.http, 15, program.alive)
            self.assertEqual(self.version(), 'one')
            program.wait_until(program.children, 'the worker runs')
            os.kill(program.children()[-1], signal.SIGKILL)
            return program.wait()

        self.assertNotEqual(self.same_in_all_modes(status, 'exit status'), 0)

    def test_soft_stop_lets_sessions_end(self):
        self.server()
        with crowd(self.tcp, 20) as sockets:
            echo_round(self, sockets, 'before')
            self.haproxy.send(signal.SIGUSR1)
            time.sleep(0.2)
            echo_round(self, sockets, 'after')
            self.assertTrue(self.haproxy.alive())
        self.assertEqual(self.haproxy.wait(), 0)


if __name__ == '__main__':
    run_tests()
