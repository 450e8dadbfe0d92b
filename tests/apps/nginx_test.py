"""nginx under the shim: two workers that share a listening socket, reload, upgrade of the binary, graceful stop.

Files are sent with sendfile, proxied and uploaded; downloads that are under way when the configuration is
reloaded or the server is told to quit must end whole.
"""

import contextlib
import os
import signal
import socket
import time

from harness import (AppTest, HttpBackend, connect, crowd, exchange, find_program, free_port, http_get, in_parallel,
                     payload, read_exact, read_http, read_slowly, run_tests, send_slowly, sha256)

CONFIGURATION = '''
daemon {daemon};
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
env LD_PRELOAD;
env KEV_STATS;
env KEV_ENGINE;
events {{ worker_connections 1024; {events} }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  keepalive_timeout 60; keepalive_requests 100000; sendfile on; client_max_body_size 100m;
  upstream back {{ server 127.0.0.1:{backend}; keepalive 16; }}
  server {{
    listen 127.0.0.1:{port};
    root {folder}/www;
    location = /version {{ return 200 "{version}"; }}
    location = /worker {{ return 200 "$pid"; }}
    location /upload/ {{ root {folder}; dav_methods PUT; create_full_put_path on; }}
    location /back/ {{ proxy_pass http://back/; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    location /raw/ {{ proxy_pass http://back/; proxy_http_version 1.1; proxy_set_header Connection "";
                      proxy_buffering off; proxy_request_buffering off; }}
  }}
}}
'''
BIG = 24 << 20


class NginxTest(AppTest):
    needs = ('nginx',)

    def setUp(self):
        super().setUp()
        self.backend = HttpBackend()
        self.addCleanup(self.backend.close)
        os.mkdir(self.stage.path('www'))
        os.mkdir(self.stage.path('upload'))
        os.chmod(self.stage.path('upload'), 0o777)
        for number in range(50):
            self.stage.write(f'www/{number}', payload(1000 + 997 * number, number))
        self.stage.write('www/big', payload(BIG, 9))

    def configure(self, port, version, events='', daemon='off'):
        return self.stage.write('nginx.conf', CONFIGURATION.format(
            folder=self.stage.folder, port=port, version=version, backend=self.backend.port, events=events,
            daemon=daemon))

    def server(self, version='one', events=''):
        self.nginx, self.port = self.start_server(lambda port: [
            find_program('nginx'), '-p', self.stage.folder, '-e', 'stderr',
            '-c', self.configure(port, version, events)])
        return self.nginx, self.port

    def version(self):
        return http_get(self.port, '/version')[1].decode()

    def big_reader(self):
        """Starts a download and reads its first bytes; returns a function that reads and checks the rest."""
        sock = connect(self.port, receive_buffer=65536)
        sock.sendall(b'GET /big HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n')

        def rest():
            with sock:
                status, body = read_http(sock, lambda s, n: read_slowly(s, n, piece=1 << 20, pause=0.003))
                self.assertEqual((status, sha256(body)), (200, sha256(payload(BIG, 9))))

        return rest


class Traffic(NginxTest):
    def test_many_kept_connections_get_whole_files(self):
        self.server()

        def client(index):
            with connect(self.port) as sock:
                for number in range(50):
                    number = (number + index) % 50
                    self.assertEqual(http_get(None, f'/{number}', sock=sock),
                                     (200, payload(1000 + 997 * number, number)))

        with crowd(self.port, 200):
            in_parallel(60, client)
        self.assertEqual(self.nginx.stop(signal.SIGQUIT), 0)

    def test_accept_mutex_and_edge_cases_of_the_event_options(self):
        self.server(events='accept_mutex on; multi_accept on;')
        workers = set()
        for _ in range(300):
            workers.add(http_get(self.port, '/worker')[1])
        self.assertTrue(workers <= {str(pid).encode() for pid in self.nginx.children()})
        self.assertEqual(self.nginx.stop(signal.SIGTERM), 0)

    def test_large_transfers_in_both_directions(self):
        self.server()
        in_parallel(4, lambda _: self.big_reader()())
        body = payload(24 << 20, 5)
        for number in range(2):
            with connect(self.port) as sock:
                sock.sendall(b'PUT /upload/%d HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n'
                             % (number, len(body)) + body)
                self.assertEqual(read_http(sock)[0], 201)
            with open(self.stage.path('upload', str(number)), 'rb') as file:
                self.assertEqual(sha256(file.read()), sha256(body))

    def test_proxied_requests_with_slow_ends(self):
        self.server()

        def quick(index):
            for turn in range(10):
                length = 5000 + index * 100 + turn
                self.assertEqual(http_get(self.port, f'/back/bytes/{length}/{index}'), (200, payload(length, index)))

        def slow(index):
            status, body = http_get(self.port, f'/raw/slow/200000/{index}')
            self.assertEqual((status, sha256(body)), (200, sha256(payload(200000, index))))
            place = (b'raw', b'back')[index % 2]
            request = b'POST /%s/echo HTTP/1.1\r\nHost: t\r\nContent-Length: 3000\r\n\r\n' % place
            with connect(self.port) as sock:
                send_slowly(sock, request + payload(3000, index), pieces=30)
                self.assertEqual(read_http(sock), (200, payload(3000, index)))

        in_parallel(30, lambda index: slow(index) if index % 3 == 0 else quick(index))

    def test_half_closed_and_broken_clients(self):
        self.server()
        answer = exchange(self.port, b'GET /7 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n')
        self.assertEqual(answer.partition(b'\r\n\r\n')[2], payload(1000 + 997 * 7, 7))
        for number in range(100):
            sock = connect(self.port, receive_buffer=4096)
            sock.sendall(b'GET /big HTTP/1.1\r\nHost: t\r\n\r\n' if number % 2 else b'GET /big HT')
            if number % 4 == 1:
                read_exact(sock, 1000)
            if number % 3 == 0:  # a reset in place of an orderly end
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
            sock.close()
        self.assertEqual(self.version(), 'one')


class Processes(NginxTest):
    def test_reload_keeps_running_downloads_and_loses_no_request(self):
        self.server('one')
        self.nginx.wait_until(lambda: len(self.nginx.children()) == 2, 'both workers run')
        before = self.nginx.children()
        rest, seen, failures = self.big_reader(), [], []
        stop = time.monotonic() + 15

        def client(index):
            # Each client goes on until it has seen twenty answers of the new configuration.
            new = 0
            while new < 20 and time.monotonic() < stop:
                try:
                    answer = self.version()
                    seen.append(answer)
                    new += answer == 'two'
                except OSError as error:
                    failures.append(error)
                if index == 0 and len(seen) > 10 and not new and 'reload' not in marks:
                    marks['reload'] = True
                    self.configure(self.port, 'two')
                    self.nginx.send(signal.SIGHUP)

        marks = {}
        in_parallel(4, client)
        self.assertEqual(failures, [])
        self.assertEqual(set(seen), {'one', 'two'})
        # An old worker may take connections until it has read its order.
        self.eventually(lambda: {self.version() for _ in range(20)} == {'two'}, 'only the new workers answer')
        rest()
        self.nginx.wait_until(lambda: len(self.nginx.children()) == 2, 'the old workers are gone')
        self.assertFalse(set(before) & set(self.nginx.children()))
        self.assertEqual(self.nginx.stop(signal.SIGQUIT), 0)

    def test_graceful_stop_ends_a_running_download_first(self):
        self.server()
        rest = self.big_reader()
        time.sleep(0.1)
        self.nginx.send(signal.SIGQUIT)

        def refused():
            with contextlib.suppress(ConnectionRefusedError):
                connect(self.port).close()
                return False
            return True

        self.eventually(refused, 'new connections are refused')
        rest()
        self.assertEqual(self.nginx.wait(), 0)

    def test_a_killed_worker_is_replaced(self):
        self.server()
        self.nginx.wait_until(lambda: len(self.nginx.children()) == 2, 'both workers run')
        victim = self.nginx.children()[0]
        os.kill(victim, signal.SIGKILL)
        self.nginx.wait_until(lambda: victim not in self.nginx.children() and len(self.nginx.children()) == 2,
                              'a new worker')
        in_parallel(20, lambda _: self.assertEqual(self.version(), 'one'))
        self.assertEqual(self.nginx.stop(signal.SIGQUIT), 0)

    def master(self):
        """The process id in the pid file, or None."""
        with contextlib.suppress(OSError, ValueError):
            with open(self.stage.path('nginx.pid'), encoding='ascii') as file:
                return int(file.read())

    def test_a_daemon_is_upgraded_to_a_new_binary_without_closing_the_port(self):
        # nginx ignores the signal for an upgrade unless it has become a daemon.
        self.port = free_port()
        starter = self.start([find_program('nginx'), '-p', self.stage.folder, '-e', 'stderr', '-c',
                              self.configure(self.port, 'one', daemon='on')], waits=False)
        self.assertEqual(starter.wait(), 0)
        self.eventually(self.master, 'the daemon has written its process id')
        old = self.master()
        self.addCleanup(end, old)
        self.eventually(lambda: _listens(self.port), 'it listens')
        self.assertEqual(self.version(), 'one')
        self.configure(self.port, 'new', daemon='on')
        os.kill(old, signal.SIGUSR2)
        self.eventually(lambda: self.master() not in (None, old), 'the new master has written its process id')
        new = self.master()
        self.addCleanup(end, new)
        os.kill(old, signal.SIGQUIT)
        self.eventually(lambda: not os.path.exists(f'/proc/{old}') or _zombie(old), 'the old master has ended')
        for _ in range(50):
            self.assertEqual(self.version(), 'new')
        os.kill(new, signal.SIGQUIT)
        self.eventually(lambda: self.master() is None, 'the new master has ended')
        if self.under_the_shim():
            counters = starter.counters()
            pids = {process['pid'] for process in counters.processes}
            self.assertTrue({old, new} <= pids, pids)
            self.assertGreater(counters.total(), 0)

    def test_the_same_answers_as_natively(self):
        def answers(mode):
            port = free_port()
            program = self.start([find_program('nginx'), '-p', self.stage.folder, '-e', 'stderr',
                                  '-c', self.configure(port, 'same')], mode=mode)
            try:
                self.eventually(lambda: _listens(port), 'it listens')
                texts = [exchange(port, request) for request in (
                    b'GET /3 HTTP/1.0\r\n\r\n', b'GET /none HTTP/1.0\r\n\r\n', b'BAD\r\n\r\n',
                    b'HEAD /big HTTP/1.0\r\n\r\n', b'GET /big HTTP/1.1\r\nHost: t\r\nRange: bytes=5-99\r\n'
                    b'Connection: close\r\n\r\n')]
                return [b'\r\n'.join(line for line in text.split(b'\r\n') if not line.startswith(b'Date:'))
                        for text in texts]
            finally:
                self.assertEqual(program.stop(signal.SIGQUIT), 0)

        self.same_in_all_modes(answers, 'answers')


def end(pid):
    """Ends a daemon of the tests that may have ended already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


def _zombie(pid):
    with contextlib.suppress(OSError):
        with open(f'/proc/{pid}/stat', encoding='ascii', errors='replace') as file:
            return file.read().rpartition(')')[2].split()[0] == 'Z'
    return True


def _listens(port):
    with contextlib.suppress(OSError):
        connect(port).close()
        return True


if __name__ == '__main__':
    run_tests()
