"""The servers that are measured: redis-server, nginx, memcached, haproxy and Python's selector echo server, native or
under the shim. Some can be told what to wait by: epoll, poll or select.

A server runs on one CPU and its load on another, where there are two. What it costs is read from the kernel's own
account of its threads, to the nanosecond. Starting and stopping is the test harness's.
"""

import contextlib
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'apps'))

from harness import Stage, find_program  # noqa: E402 (the path is set above)

CPUS = sorted(os.sched_getaffinity(0))
SERVER_CPUS, LOAD_CPUS = ({CPUS[1]}, {CPUS[0]}) if len(CPUS) > 1 else (set(CPUS), set(CPUS))
# The shim counts, but no array is large enough for the core: every wait is the native one.
COUNT_ONLY = {'KEV_MIRROR_MIN': '1048576'}

NGINX = '''
daemon off;
worker_processes 1;
pid {folder}/nginx-{port}.pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  keepalive_requests 100000000;
  server {{ listen 127.0.0.1:{port} backlog=1024; location / {{ return 200 "hello\\n"; }} }}
}}
'''

HAPROXY = '''
global
  nbthread 1
  maxconn 9000
  {pollers}
defaults
  mode http
  timeout client 1h
  timeout http-keep-alive 1h
listen web
  bind 127.0.0.1:{port}
  backlog 1024
  http-request return status 200 content-type text/plain string "hello"
'''


@contextlib.contextmanager
def on(cpus):
    """What is started inside runs on these CPUs."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def require_said(program, text):
    """What a server says of itself: the backend that it was told to use may not be there."""
    if text.encode() not in program.output() + program.errors():
        raise RuntimeError(f'{program.name} does not say: {text.strip()}')


class Server:
    """One running server; `mode` is 'native', 'kev' or 'count' (see COUNT_ONLY)."""

    def __init__(self, stage, mode, count):
        self.stage, self.mode, self.port = stage, mode, None
        self.options = {'mode': 'native' if mode == 'native' else 'kev', 'count': count, 'waits': False}
        if mode == 'count':
            self.options['env'] = COUNT_ONLY
        with on(SERVER_CPUS):
            self.launch()

    def launch(self):
        self.program, self.port = self.stage.start_server(self.command, **self.options)

    def processes(self):
        return [self.program.pid]

    def cpu_ns(self):
        """CPU time of the server's threads so far."""
        total = 0
        for pid in self.processes():
            for thread in os.listdir(f'/proc/{pid}/task'):
                with contextlib.suppress(OSError):
                    with open(f'/proc/{pid}/task/{thread}/schedstat', encoding='ascii') as file:
                        total += int(file.read().split()[0])
        return total

    def waits(self):
        """(waits, kernel entries made for them) so far; nothing is counted natively."""
        counters = self.program.counters()
        return counters.total('calls'), counters.total('kernel_entries')

    def stop(self):
        self.program.stop()


class Redis(Server):
    def command(self, port):
        return [find_program('redis-server'), '--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no',
                '--daemonize', 'no', '--dir', self.stage.folder]


class Nginx(Server):
    def command(self, port):
        path = self.stage.write(f'nginx-{port}.conf', NGINX.format(folder=self.stage.folder, port=port))
        return [find_program('nginx'), '-p', self.stage.folder, '-e', 'stderr', '-c', path]

    def processes(self):
        return self.program.children()


class Memcached(Server):
    """memcached with one worker thread, on the backend of libevent that is asked for."""

    HIDDEN = {'epoll': (), 'poll': ('EPOLL',), 'select': ('EPOLL', 'POLL')}

    def __init__(self, kind, *arguments):
        self.kind = kind
        super().__init__(*arguments)

    def launch(self):
        hidden = {f'EVENT_NO{method}': '1' for method in self.HIDDEN[self.kind]}
        self.options['env'] = {**self.options.get('env', {}), **hidden, 'EVENT_SHOW_METHOD': '1'}
        super().launch()
        require_said(self.program, f'libevent using: {self.kind}\n')

    def command(self, port):
        return [find_program('memcached'), '-l', '127.0.0.1', '-p', port, '-U', '0', '-u', 'nobody', '-t', '1',
                '-c', '9000', '-b', '1024']


class Haproxy(Server):
    """haproxy with one thread, which answers by itself; `kind` is 'poll' or 'epoll'."""

    POLLERS = {'epoll': '', 'poll': 'noepoll'}

    def __init__(self, kind, *arguments):
        self.kind = kind
        super().__init__(*arguments)

    def launch(self):
        super().launch()
        require_said(self.program, f'Using {self.kind}() ')

    def command(self, port):
        path = self.stage.write(f'haproxy-{port}.cfg', HAPROXY.format(pollers=self.POLLERS[self.kind], port=port))
        return [find_program('haproxy'), '-V', '-db', '-f', path]


class PythonEcho(Server):
    """Python's selector echo server; `kind` is 'poll', 'epoll' or 'select'."""

    def __init__(self, kind, *arguments):
        self.kind = kind
        super().__init__(*arguments)

    def launch(self):
        self.program = self.stage.start(
            ['/usr/bin/python3', os.path.join(ROOT, 'tests', 'apps', 'programs', 'selector_echo.py'), self.kind,
             '1024'],
            **self.options)
        self.program.wait_until(lambda: self.program.output().endswith(b'\n'), 'the port is printed')
        self.port = int(self.program.output())


__all__ = ['LOAD_CPUS', 'Haproxy', 'Memcached', 'Nginx', 'PythonEcho', 'Redis', 'Stage', 'find_program', 'on']
