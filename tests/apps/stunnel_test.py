"""stunnel under the shim: TLS before an echo server, and a client tunnel before that.

Many TLS sessions in threads, half-closed and slow ones, large transfers both ways, and a reload that brings
another certificate to new sessions while old ones go on.
"""

import contextlib
import select
import signal
import socket
import ssl
import subprocess
import time

from harness import (AppTest, EchoServer, connect, crowd, echo_round, find_program, free_port, in_parallel, payload,
                     read_exact, read_slowly, run_tests, send_slowly, sha256, wait_for_port)

CONFIGURATION = '''
foreground = yes
pid =
syslog = no
debug = notice
{options}
[server]
accept = 127.0.0.1:{port}
connect = 127.0.0.1:{target}
cert = {folder}/{certificate}.pem
TIMEOUTclose = 2
'''
CLIENT = '''
[client]
client = yes
accept = 127.0.0.1:{plain}
connect = 127.0.0.1:{port}
CAfile = {folder}/one.pem
verifyPeer = yes
TIMEOUTclose = 2
'''


class StunnelTest(AppTest):
    needs = ('stunnel4', 'openssl')

    @classmethod
    def setUpClass(cls):
        stage = cls.share_stage()
        for name in ('one', 'two'):
            subprocess.run([find_program('openssl'), 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2',
                            '-subj', f'/CN={name}', '-addext', 'subjectAltName=DNS:localhost', '-keyout',
                            stage.path('key'), '-out', stage.path('cert')], check=True, capture_output=True,
                           stdin=subprocess.DEVNULL)
            with open(stage.path('key'), encoding='ascii') as key, open(stage.path('cert'), encoding='ascii') as cert:
                stage.write(name + '.pem', key.read() + cert.read(), 0o600)

    def setUp(self):
        super().setUp()
        self.echo = EchoServer()
        self.addCleanup(self.echo.close)

    def configure(self, port, certificate='one', options='', client=''):
        return self.stage.write('stunnel.conf', (CONFIGURATION + client).format(
            port=port, target=self.echo.port, folder=self.shared.folder, certificate=certificate, options=options,
            plain=getattr(self, 'plain', 0)))

    def tunnel(self, **options):
        self.program, self.port = self.start_server(
            lambda port: [find_program('stunnel4'), self.configure(port, **options)])
        return self.program

    def session(self, certificate='one', receive_buffer=None):
        context = ssl.create_default_context(cafile=self.shared.path(certificate + '.pem'))
        return context.wrap_socket(connect(self.port, receive_buffer), server_hostname='localhost')

    def exchange(self, data, certificate='one'):
        """Sends and reads at once, from one thread, as a TLS session demands; returns what came back."""
        answer, sent, end = bytearray(), 0, time.monotonic() + 30
        with self.session(certificate) as sock:
            sock.settimeout(0)
            while len(answer) < len(data):
                self.assertLess(time.monotonic(), end, 'the exchange takes too long')
                idle = True
                with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    sent += sock.send(data[sent:sent + 65536]) if sent < len(data) else 0
                    idle = False
                with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    answer += (part := sock.recv(1 << 18))
                    self.assertTrue(part, 'an early end of file')
                    continue
                if idle or sent == len(data):
                    select.select([sock], [sock] if sent < len(data) else [], [], 1)
        return bytes(answer)

    def test_many_sessions_at_once(self):
        self.tunnel()
        sessions = in_parallel(60, lambda _: self.session())
        for number in range(3):
            echo_round(self, sessions, f'round{number}')
        for sock in sessions[::2]:
            sock.close()
        echo_round(self, sessions[1::2], 'rest')
        for sock in sessions[1::2]:
            sock.close()
        self.assertEqual(self.program.stop(signal.SIGTERM), 0)

    def test_large_transfers_and_slow_ends(self):
        self.tunnel()
        data = payload(12 << 20, 1)

        def client(index):
            if index < 2:
                self.assertEqual(sha256(self.exchange(data)), sha256(data))
            elif index < 5:
                with self.session(receive_buffer=16384) as sock:
                    sock.sendall(data[:300000])
                    self.assertEqual(read_slowly(sock, 300000, piece=10000, pause=0.005), data[:300000])
            else:
                with self.session() as sock:
                    send_slowly(sock, data[:1000], pieces=100, pause=0.003)
                    self.assertEqual(read_exact(sock, 1000), data[:1000])

        in_parallel(8, client)
        self.assertEqual(self.program.stop(signal.SIGTERM), 0)

    def test_a_client_tunnel_half_closed_at_its_plain_end(self):
        self.plain = free_port()
        self.tunnel(client=CLIENT)
        wait_for_port(self.plain, 10, self.program.alive)
        data = payload(200000, 2)

        def client(index):
            with connect(self.plain) as sock:
                sock.sendall(data[index:])
                got = read_exact(sock, len(data) - index)
                sock.shutdown(socket.SHUT_WR)
                self.assertEqual(sock.recv(1), b'')
                return got

        for index, answer in enumerate(in_parallel(30, client)):
            self.assertEqual(answer, data[index:])
        with crowd(self.plain, 40) as sockets:
            echo_round(self, sockets, 'both')
        self.assertEqual(self.program.stop(signal.SIGTERM), 0)

    def test_reload_brings_a_new_certificate_and_keeps_sessions(self):
        self.tunnel()
        with self.session() as old:
            echo_round(self, [old], 'before')
            self.configure(self.port, 'two')
            self.program.send(signal.SIGHUP)
            self.eventually(lambda: self.accepted('two'), 'the new certificate is served')
            self.assertFalse(self.accepted('one'))
            echo_round(self, [old], 'after')
        self.assertEqual(self.exchange(payload(50000, 3), 'two'), payload(50000, 3))
        self.assertEqual(self.program.stop(signal.SIGTERM), 0)

    def accepted(self, certificate):
        try:
            self.session(certificate).close()
            return True
        except (ssl.SSLError, OSError):
            return False

    def test_broken_handshakes_and_vanishing_clients(self):
        self.tunnel()
        for number in range(60):
            with connect(self.port) as sock:
                if number % 3 == 0:
                    sock.sendall(b'this is no TLS at all\r\n')
                    with contextlib.suppress(ConnectionResetError):
                        sock.recv(100)
                elif number % 3 == 1:
                    sock.sendall(b'\x16\x03\x01\x02\x00')
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
        self.assertEqual(self.exchange(b'still here'), b'still here')
        self.assertEqual(self.program.stop(signal.SIGTERM), 0)

    def test_openssl_s_client_and_statuses_as_natively(self):
        def results(mode):
            program, port = self.start_server(lambda port: [find_program('stunnel4'), self.configure(port)], mode=mode)
            script = f'(echo hello; sleep 0.3) | "$0" s_client -quiet -no_ign_eof -connect 127.0.0.1:{port} 2>/dev/null'
            out = self.run_program(['/bin/sh', '-c', script, find_program('openssl')], mode=mode).out
            bad = self.run_program([find_program('stunnel4'), self.stage.write('bad.conf', 'nonsense = yes\n')],
                                   mode=mode, status=None, waits=False)
            return out, program.stop(signal.SIGTERM), bad.status

        self.assertEqual(self.same_in_all_modes(results, 'results')[:2], (b'hello\n', 0))


if __name__ == '__main__':
    run_tests()
