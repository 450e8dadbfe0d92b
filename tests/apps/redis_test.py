"""redis-server under the shim: epoll with many clients, forks for BGSAVE and replication, threads for I/O.

Every answer is compared with what the protocol demands; what a client can see of the server's descriptors
must be the same natively and under the shim.
"""

import re
import signal
import socket
import time

from harness import (AppTest, connect, crowd, find_program, in_parallel, payload, read_all, read_exact, read_slowly,
                     read_until, run_tests, send_slowly, sha256)


def encode(*words):
    """A command in redis's own protocol."""
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b'*%d\r\n' % len(parts) + b''.join(b'$%d\r\n%s\r\n' % (len(part), part) for part in parts)


class Redis:
    """A connection that speaks the protocol."""

    def __init__(self, port, **options):
        self.sock = connect(port, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def line(self):
        return read_until(self.sock, b'\r\n')[:-2]

    def answer(self, reader=read_exact):
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind == b'$':
            return None if rest == b'-1' else reader(self.sock, int(rest) + 2)[:-2]
        if kind == b'*':
            return None if rest == b'-1' else [self.answer() for _ in range(int(rest))]
        if kind == b':':
            return int(rest)
        return rest.decode() if kind == b'+' else line.decode()

    def ask(self, *words):
        self.sock.sendall(encode(*words))
        return self.answer()


class RedisTest(AppTest):
    needs = ('redis-server',)

    def server(self, *more, **options):
        program = find_program('redis-server')
        return self.start_server(lambda port: [
            program, '--port', port, '--bind', '127.0.0.1', '--dir', self.stage.folder, '--save', '', '--dbfilename',
            f'{port}.rdb', '--enable-debug-command', 'yes', '--daemonize', 'no', *more], **options)


class Clients(RedisTest):
    def test_300_clients_each_get_their_own_answers(self):
        server, port = self.server()

        def client(index):
            with Redis(port) as redis:
                for turn in range(20):
                    value = f'{index}-{turn}' * 10
                    self.assertEqual(redis.ask('SET', f'key{index}', value), 'OK')
                    self.assertEqual(redis.ask('GET', f'key{index}'), value.encode())
                    redis.ask('INCR', 'sum')

        with crowd(port, 200):  # idle ones beside
            in_parallel(100, client)
            with Redis(port) as redis:
                self.assertEqual(redis.ask('GET', 'sum'), b'2000')
                self.assertEqual(redis.ask('DBSIZE'), 101)
        self.assertEqual(server.stop(signal.SIGTERM), 0)

    def test_slow_and_half_closed_clients(self):
        _, port = self.server()
        with Redis(port) as slow, Redis(port) as quick:
            command = encode('SET', 'slow', 'x' * 50)
            send_slowly(slow.sock, command[:-1], pieces=len(command) - 1, pause=0.002)
            self.assertEqual(quick.ask('GET', 'slow'), None)
            slow.sock.sendall(command[-1:])
            self.assertEqual(slow.answer(), 'OK')
            self.assertEqual(quick.ask('GET', 'slow'), b'x' * 50)
        for _ in range(50):
            with connect(port) as sock:
                sock.sendall(encode('ECHO', 'bye') * 3)
                sock.shutdown(socket.SHUT_WR)
                self.assertEqual(read_all(sock), b'$3\r\nbye\r\n' * 3)
        with Redis(port) as redis:
            self.eventually(lambda: re.search(rb'connected_clients:1\r', redis.ask('INFO', 'clients')),
                            'closed clients are gone')

    def test_large_values_whole_and_to_a_slow_reader(self):
        _, port = self.server('--client-output-buffer-limit', 'normal 0 0 0')
        value = payload(32 << 20, seed=1)
        with Redis(port) as writer:
            self.assertEqual(writer.ask('SET', 'big', value), 'OK')
            self.assertEqual(sha256(writer.ask('GET', 'big')), sha256(value))
        with Redis(port, receive_buffer=65536) as slow, Redis(port) as quick:
            slow.sock.sendall(encode('GETRANGE', 'big', 0, (8 << 20) - 1))
            for number in range(50):
                self.assertEqual(quick.ask('SET', 'small', number), 'OK')
            answer = slow.answer(lambda sock, n: read_slowly(sock, n, piece=1 << 18))
            self.assertEqual(sha256(answer), sha256(value[:8 << 20]))

    def test_pipelines_of_ten_thousand_commands(self):
        _, port = self.server('--io-threads', '2', '--io-threads-do-reads', 'yes')

        def client(index):
            with Redis(port) as redis:
                for start in range(0, 10000, 1000):
                    redis.sock.sendall(b''.join(encode('RPUSH', f'list{index}', start + n) for n in range(1000)))
                    self.assertEqual([redis.answer() for _ in range(1000)], list(range(start + 1, start + 1001)))

        in_parallel(4, client)

    def test_blocked_clients_time_out_and_are_woken(self):
        _, port = self.server()
        with Redis(port) as waiter, Redis(port) as pusher:
            began = time.monotonic()
            self.assertEqual(waiter.ask('BLPOP', 'queue', '0.3'), None)
            self.assertTrue(0.29 <= time.monotonic() - began < 3)
            for number in range(20):
                waiter.sock.sendall(encode('BLPOP', 'queue', '10'))
                time.sleep(0.005)
                pusher.ask('RPUSH', 'queue', number)
                self.assertEqual(waiter.answer(), [b'queue', str(number).encode()])

    def test_subscribers_get_every_message_in_order(self):
        _, port = self.server()
        subscribers = [Redis(port) for _ in range(50)]
        for subscriber in subscribers:
            self.assertEqual(subscriber.ask('SUBSCRIBE', 'news'), [b'subscribe', b'news', 1])
        with Redis(port) as publisher:
            for number in range(100):
                self.assertEqual(publisher.ask('PUBLISH', 'news', number), 50)
        for subscriber in subscribers:
            for number in range(100):
                self.assertEqual(subscriber.answer(), [b'message', b'news', str(number).encode()])
            subscriber.sock.close()


class Processes(RedisTest):
    def test_bgsave_and_aof_rewrite_fork_and_the_data_survive_a_restart(self):
        server, port = self.server()
        with Redis(port) as redis:
            redis.sock.sendall(b''.join(encode('SET', f'k{n}', payload(200, n)) for n in range(2000)))
            for _ in range(2000):
                self.assertEqual(redis.answer(), 'OK')
            digest = redis.ask('DEBUG', 'DIGEST')
            self.assertEqual(redis.ask('BGSAVE'), 'Background saving started')
            while b'rdb_bgsave_in_progress:1' in redis.ask('INFO', 'persistence'):
                self.assertEqual(redis.ask('PING'), 'PONG')
                time.sleep(0.01)
            self.assertIn(b'rdb_last_bgsave_status:ok', redis.ask('INFO', 'persistence'))
            self.assertEqual(redis.ask('CONFIG', 'SET', 'appendonly', 'yes'), 'OK')
            self.eventually(lambda: b'aof_rewrite_in_progress:0' in redis.ask('INFO', 'persistence'), 'AOF written')
            redis.sock.sendall(encode('SHUTDOWN', 'SAVE'))
            self.assertEqual(read_all(redis.sock), b'')
        self.assertEqual(server.wait(), 0)
        again, new_port = self.server('--dbfilename', f'{port}.rdb')
        with Redis(new_port) as redis:
            self.assertEqual(redis.ask('DBSIZE'), 2000)
            self.assertEqual(redis.ask('DEBUG', 'DIGEST'), digest)
        self.assertEqual(again.stop(signal.SIGINT), 0)

    def test_a_crash_report_cancels_the_background_threads(self):
        log = self.stage.folder + '/crash.log'
        server, port = self.server('--io-threads', '3', '--logfile', log)
        with Redis(port) as redis:
            redis.sock.sendall(encode('DEBUG', 'SEGFAULT'))
            self.assertEqual(read_all(redis.sock), b'')
        self.assertEqual(server.wait(60), -signal.SIGSEGV)
        with open(log, encoding='utf-8', errors='replace') as file:
            ended = re.findall(r'# (Bio|IO) thread.* terminated$', file.read(), re.MULTILINE)
        self.assertEqual((ended.count('Bio'), ended.count('IO')), (3, 2))

    def test_a_replica_follows_its_master(self):
        _, port = self.server('--repl-diskless-sync', 'yes', '--repl-diskless-sync-delay', '0')
        with Redis(port) as master:
            master.ask('SET', 'before', payload(4 << 20, 3))
            _, replica_port = self.server('--replicaof', f'127.0.0.1 {port}')
            with Redis(replica_port) as replica:
                self.eventually(lambda: b'master_link_status:up' in replica.ask('INFO', 'replication'), 'link up')
                for number in range(200):
                    master.ask('SET', f'after{number}', number)
                self.assertEqual(master.ask('WAIT', 1, 5000), 1)
                self.assertEqual(replica.ask('DEBUG', 'DIGEST'), master.ask('DEBUG', 'DIGEST'))
                self.assertEqual(sha256(replica.ask('GET', 'before')), sha256(payload(4 << 20, 3)))

    def test_clients_have_the_same_descriptor_numbers_as_natively(self):
        def numbers(mode):
            server, port = self.server(mode=mode)
            # The connection that found the server ready may still be open there.
            with Redis(port) as alone:
                server.wait_until(lambda: alone.ask('CLIENT', 'LIST').count(b' fd=') == 1, 'the others are gone')
                self.assertEqual(alone.ask('QUIT'), 'OK')
                self.assertEqual(alone.sock.recv(1), b'')  # closed there
            with Redis(port) as first, Redis(port) as second:
                second.ask('PING')
                found = re.findall(rb' fd=(\d+) ', first.ask('CLIENT', 'LIST'))
            self.assertEqual(server.stop(), 0)
            return found

        self.assertEqual(len(self.same_in_all_modes(numbers, 'descriptor numbers')), 2)

    def test_plain_ld_preload_works_as_well(self):
        if not self.under_the_shim():
            self.skipTest('there is no shim in native mode')
        server, port = self.server(mode='preload')
        with Redis(port) as redis:
            self.assertEqual(redis.ask('SET', 'a', 1), 'OK')
            self.assertEqual(redis.ask('GET', 'a'), b'1')
        self.assertEqual(server.stop(), 0)


if __name__ == '__main__':
    run_tests()
