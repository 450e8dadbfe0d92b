"""Every example, built against an installed copy of the library and run: alone, and under the preload object.

Environment: BUILD, the build folder. Of it is used what `meson install` puts into a folder of the test's own.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / 'tests' / 'apps'))

from harness.tap import run_tests  # noqa: E402

EXAMPLES = ROOT / 'examples'
WARNINGS = ['-Wall', '-Wextra', '-pedantic', '-Werror', '-O1']


def run(*command, environment=None, timeout=120):
    return subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, text=True, env=environment, timeout=timeout)


class Installed:
    """The library in a folder of its own, as a package would leave it."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix='kev-examples-')
        self.root = pathlib.Path(self.folder.name) / 'installed'
        self.programs = pathlib.Path(self.folder.name) / 'programs'
        self.programs.mkdir()
        done = run('meson', 'install', '-C', os.environ['BUILD'], '--no-rebuild', '--destdir', self.root,
                   '--tags', 'devel,runtime')
        if done.returncode != 0:
            raise RuntimeError(done.stdout)
        self.environment = dict(os.environ, PKG_CONFIG_SYSROOT_DIR=str(self.root),
                                PKG_CONFIG_LIBDIR=str(self.find('kev.pc').parent))
        self.environment.pop('PKG_CONFIG_PATH', None)
        self.libraries = self.find('libkev.so.1').parent

    def find(self, name):
        return next(self.root.rglob(name))

    def flags(self, *options):
        done = run('pkg-config', *options, 'kev', environment=self.environment)
        if done.returncode != 0:
            raise RuntimeError(done.stdout)
        return done.stdout.split()

    def build(self, source, *options, name=None):
        compiler = ['c++', '-std=c++20'] if source.endswith('.cpp') else ['cc', '-std=c11']
        program = self.programs / (name or source.replace('/', '-').replace('.', '-'))
        if not program.exists():
            flags = self.flags('--cflags', '--libs', *(['--static'] if '-static' in options else []))
            done = run(*compiler, *WARNINGS, *options, EXAMPLES / source, *flags, '-pthread', '-o', program)
            if done.returncode != 0:
                raise AssertionError(done.stdout)
        return program


class ExampleTest(unittest.TestCase):
    installed = None

    def setUp(self):
        for tool in ('meson', 'pkg-config', 'cc', 'c++'):
            if not shutil.which(tool):
                self.skipTest(tool + ' is not installed')
        if ExampleTest.installed is None:
            ExampleTest.installed = Installed()

    def ways(self):
        """The environments in which a program does the same."""
        alone = dict(os.environ, LD_LIBRARY_PATH=str(self.installed.libraries))
        alone.pop('LD_PRELOAD', None)
        preloaded = dict(alone, LD_PRELOAD=str(self.installed.find('libkev-preload.so')))
        return {'alone': alone, 'preloaded': preloaded}.items()

    def check(self, source, expected, arguments=(), status=0, in_order=True):
        program = self.installed.build(source)
        for way, environment in self.ways():
            done = run(program, *arguments, environment=environment, timeout=30)
            lines = done.stdout.splitlines()
            self.assertEqual(done.returncode, status, way + '\n' + done.stdout)
            self.assertEqual(lines if in_order else sorted(lines), expected if in_order else sorted(expected), way)

    @contextlib.contextmanager
    def running(self, environment, *command):
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True, env=environment)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            process.stdout.close()


class ServerTest(ExampleTest):
    def serve(self, source):
        program = self.installed.build(source)
        for way, environment in self.ways():
            with self.running(environment, program) as server:
                port = int(server.stdout.readline().split()[1])
                clients = [socket.create_connection(('127.0.0.1', port), timeout=30) for _ in range(20)]
                for turn in range(3):
                    for number, client in enumerate(clients):
                        client.sendall(b'%d %d' % (turn, number))
                    for number, client in enumerate(clients):
                        self.assertEqual(client.recv(100), b'%d %d' % (turn, number), way)
                clients.pop().close()
                server.send_signal(signal.SIGTERM)
                self.assertEqual(server.stdout.read(), f'ended by process {os.getpid()}\n', way)
                self.assertEqual(server.wait(30), 0, way)
                for client in clients:
                    client.close()

    def test_the_echo_server(self):
        self.serve('echo_server.c')

    def test_the_echo_server_of_coroutines(self):
        self.serve('echo_server.cpp')


class SupervisorTest(ExampleTest):
    def test_a_command_that_fails_is_started_again(self):
        self.check('supervisor.c', ['exited 3'] * 4, ['sh', '-c', 'exit 3'], status=1)

    def test_one_that_succeeds_ends_it(self):
        self.check('supervisor.c', ['exited 0'], ['true'])

    def test_a_signal_is_passed_on(self):
        program = self.installed.build('supervisor.c')
        for way, environment in self.ways():
            with self.running(environment, program, 'sh', '-c', 'echo up; exec sleep 100') as supervisor:
                self.assertEqual(supervisor.stdout.readline(), 'up\n', way)
                supervisor.send_signal(signal.SIGTERM)
                self.assertEqual(supervisor.stdout.read(), 'signal 15: passed on\nkilled 15\n', way)
                self.assertEqual(supervisor.wait(30), 0, way)


class FutexPoolTest(ExampleTest):
    def test_all_jobs_are_done(self):
        self.check('futex_pool.c', ['500 jobs, sum 124750, timer ticked'], ['500'])


class EpollLoopTest(ExampleTest):
    def test_it_gains_timers_signals_and_futexes(self):
        self.check('epoll_loop.c', ['read hello', 'timer 1', 'signal 10 from ourselves', 'futex, word 7'],
                   in_order=False)


class ComplaintsTest(ExampleTest):
    def test_no_events_without_a_system_call(self):
        self.check('complaints/no_system_call.c', [
            'eventfd + epoll: 1000 events', 'libkev: 1000 events', 'now without system calls',
            'eventfd + epoll: Operation not permitted', 'libkev: 1000 events'])

    def test_a_few_bits_of_information(self):
        says = '  the event says: '
        self.check('complaints/few_bits.c', [
            says + 'EPOLLIN; read: signal with value 42', says + 'EPOLLIN; read: at least 3 expirations',
            says + 'EPOLLIN; waitid: exit status 7', 'eventfd + epoll: 3 events, 3 more system calls',
            says + 'at least 3 expirations', says + 'signal with value 42 of process our own', says + 'exit status 7',
            'libkev: 3 events, 0 more system calls'], in_order=False)

    def test_lost_events_on_cancellation(self):
        self.check('complaints/lost_on_cancel.c', [
            'eventfd + epoll: lost', 'eventfd + epoll, with a clean-up handler: the other gets it',
            'libkev: the other gets it'])

    def test_no_futexes(self):
        self.check('complaints/no_futexes.c', [
            'eventfd + epoll: 1 event, the word is 1; a thread and a descriptor for it',
            'libkev: 1 event, which says that the word is 2'])


class InstalledTest(ExampleTest):
    def test_every_example_has_a_test(self):
        own = pathlib.Path(__file__).read_text(encoding='utf-8')
        for source in [*EXAMPLES.rglob('*.c'), *EXAMPLES.rglob('*.cpp')]:
            self.assertIn("'" + str(source.relative_to(EXAMPLES)) + "'", own)

    def test_the_archive_links_too(self):
        program = self.installed.build('epoll_loop.c', '-static', name='static')
        self.assertEqual(run(program, timeout=30).returncode, 0)


if __name__ == '__main__':
    run_tests()
