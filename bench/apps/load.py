"""The loads: redis-benchmark, wrk, an echo client with a crowd of idle connections, and kev-load, a faster one.

Each runs for one round against one server and tells how many requests were answered and in what time.
"""

import os
import re
import resource
import socket
import subprocess
import time

from servers import LOAD_CPUS, find_program, on

KEV_LOAD = os.environ.get('KEV_LOAD') or os.path.join(
    os.path.dirname(os.path.dirname(os.environ.get('KEV_RUN', ''))), 'bench', 'load', 'kev-load')


def _output(argv):
    with on(LOAD_CPUS):
        done = subprocess.run([str(word) for word in argv], capture_output=True, stdin=subprocess.DEVNULL, check=True)
    return done.stdout.decode()


def redis_get(port, clients, requests):
    """redis-benchmark GET without pipelining; returns (requests, seconds)."""
    text = _output([find_program('redis-benchmark'), '-h', '127.0.0.1', '-p', port, '-c', clients, '-n', requests,
                    '-t', 'get', '--csv'])
    rate = float(text.strip().splitlines()[-1].split(',')[1].strip('"'))
    return requests, requests / rate


def wrk(port, clients, seconds):
    """wrk with one thread for a time; returns (requests, seconds). Any failed request is an error."""
    text = _output([find_program('wrk'), '-t1', f'-c{clients}', f'-d{seconds}s', f'http://127.0.0.1:{port}/'])
    if 'Socket errors' in text or 'Non-2xx' in text:
        raise RuntimeError(text)
    requests, unit_time = re.search(r'(\d+) requests in ([\d.]+)s', text).groups()
    return int(requests), float(unit_time)


class Crowd:
    """Idle connections and a few busy ones to an echo server."""

    def __init__(self, port, idle, busy):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.sockets = [socket.create_connection(('127.0.0.1', port), timeout=20) for _ in range(idle + busy)]
        # The busy ones stand in the midst of the others.
        self.busy = self.sockets[idle // 2:idle // 2 + busy]

    def round(self, requests):
        """Sends a line on every busy connection, awaits all echoes, and again; returns (requests, seconds)."""
        line, turns = b'x' * 63 + b'\n', requests // len(self.busy)
        with on(LOAD_CPUS):
            began = time.monotonic()
            for _ in range(turns):
                for sock in self.busy:
                    sock.sendall(line)
                for sock in self.busy:
                    got = sock.recv(len(line))
                    while len(got) < len(line):
                        part = sock.recv(len(line) - len(got))
                        if not part:
                            raise EOFError('the server closed a busy connection')
                        got += part
                    if got != line:
                        raise RuntimeError('a wrong echo')
            return turns * len(self.busy), time.monotonic() - began

    def close(self):
        for sock in self.sockets:
            sock.close()


class FastCrowd:
    """kev-load: the same in C++, for servers that outrun Python. `protocol` is 'memcached', 'http' or 'echo'."""

    def __init__(self, port, protocol):
        with on(LOAD_CPUS):
            self.process = subprocess.Popen([KEV_LOAD, f'--port={port}', f'--protocol={protocol}'],
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def _ask(self, command):
        print(command, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline().split()
        if not answer:
            raise RuntimeError(f'kev-load ended at: {command}')
        return answer

    def open(self, total):
        """Opens connections until there are that many."""
        self._ask(f'open {total}')

    def round(self, busy, seconds):
        """Keeps that many busy, each with a request at a time, for that time; returns (requests, seconds)."""
        requests, taken = self._ask(f'run {busy} {seconds}')
        return int(requests), float(taken)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()
