"""rsync under the shim: as a daemon with its clients, and over a pipe to a process of its own.

rsync waits with select() or poll() on both ends of everything. Trees with hundreds of files and a large one must
arrive whole, changes alone must travel, and broken transfers must be resumed.
"""

import filecmp
import os
import signal

from harness import AppTest, find_program, in_parallel, payload, run_tests, sha256_file

CONFIGURATION = '''
use chroot = no
max connections = 50
log file = {folder}/rsyncd.log
pid file = {folder}/rsyncd.pid
lock file = {folder}/rsyncd.lock
{identity}
[data]
  path = {folder}/data
  read only = no
[one]
  path = {folder}/data
  max connections = 1
  lock file = {folder}/one.lock
'''


class RsyncTest(AppTest):
    needs = ('rsync',)

    def tree(self, name, files=300):
        """A folder with many files of many sizes, links and one large file; returns its path with a slash."""
        root = self.stage.path(name)
        for number in range(files):
            self.stage.write(f'{name}/d{number % 7}/f{number}', payload(number * 37, number))
        self.stage.write(f'{name}/big', payload(16 << 20, 1))
        os.symlink('big', os.path.join(root, 'link'))
        return root + '/'

    def same(self, left, right):
        def check(comparison):
            self.assertEqual((comparison.left_only, comparison.right_only, comparison.funny_files), ([], [], []))
            _, different, errors = filecmp.cmpfiles(comparison.left, comparison.right, comparison.common_files,
                                                    shallow=False)
            self.assertEqual((different, errors), ([], []))
            for inner in comparison.subdirs.values():
                check(inner)

        check(filecmp.dircmp(left, right))

    def daemon(self, **options):
        os.makedirs(self.stage.path('data'), exist_ok=True)
        identity = 'uid = root\ngid = root' if os.getuid() == 0 else ''
        path = self.stage.write('rsyncd.conf', CONFIGURATION.format(folder=self.stage.folder, identity=identity))
        program, port = self.start_server(lambda port: [
            find_program('rsync'), '--daemon', '--no-detach', f'--config={path}', '--address=127.0.0.1',
            f'--port={port}'], **options)
        return program, f'rsync://127.0.0.1:{port}/'

    def rsync(self, *arguments, **options):
        return self.run_program([find_program('rsync'), *arguments], **options)

    def pipe(self):
        """A remote shell that is none: it drops the host's name and runs the command here."""
        return ['-e', self.stage.write('shell', '#!/bin/sh\nshift\nexec "$@"\n', 0o755)]

    def test_a_tree_to_a_daemon_and_back(self):
        source = self.tree('source')
        program, url = self.daemon()
        self.rsync('-a', source, url + 'data/up')
        self.same(source, self.stage.path('data/up'))
        self.rsync('-a', url + 'data/up/', self.stage.path('back'))
        self.same(source, self.stage.path('back'))
        self.assertIn(b'big', self.rsync(url + 'data/up/').out)
        status = program.stop(signal.SIGTERM)
        self.assertIn(status, (0, 20))  # by version

    def test_only_changes_travel_and_extra_files_go(self):
        source = self.tree('source')
        _, url = self.daemon()
        self.rsync('-a', source, url + 'data/up')
        with open(source + 'big', 'r+b') as file:
            file.seek(8 << 20)
            file.write(b'changed')
        os.unlink(source + 'd1/f1')
        done = self.rsync('-a', '--delete', '--stats', '--no-human-readable', '--ignore-times', source,
                          url + 'data/up')
        self.same(source, self.stage.path('data/up'))
        literal = [line for line in done.text.splitlines() if line.startswith('Literal data')][0]
        self.assertLess(int(literal.split()[2].replace(',', '')), 1 << 20)

    def test_many_clients_at_once(self):
        program, url = self.daemon()
        for number in range(20):
            self.stage.write(f'data/{number}', payload(500000, number))
        in_parallel(20, lambda index: self.rsync('-a', url + f'data/{index}', self.stage.path(f'got{index}')))
        for number in range(20):
            self.assertEqual(sha256_file(self.stage.path(f'got{number}')),
                             sha256_file(self.stage.path(f'data/{number}')))
        if self.under_the_shim():
            self.assertGreaterEqual(len(program.counters().processes), 20)

    def test_over_a_pipe_in_both_directions(self):
        source = self.tree('source')
        self.rsync('-az', *self.pipe(), source, f'host:{self.stage.path("there")}')
        self.same(source, self.stage.path('there'))
        self.rsync('-a', '--whole-file', *self.pipe(), f'host:{self.stage.path("there")}/', self.stage.path('back'))
        self.same(source, self.stage.path('back'))

    def test_a_slow_transfer_is_broken_off_and_resumed(self):
        self.stage.write('data/big', payload(16 << 20, 1))
        _, url = self.daemon()
        target = self.stage.path('got')
        os.mkdir(target)
        client = self.start([find_program('rsync'), '-a', '--partial', '--inplace', '--bwlimit=4000', url + 'data/big',
                             target])
        self.eventually(lambda: os.path.exists(target + '/big') and os.path.getsize(target + '/big') > 1 << 20,
                        'a part has come')
        self.assertEqual(client.stop(signal.SIGINT), 20)
        self.assertLess(os.path.getsize(target + '/big'), 16 << 20)
        self.rsync('-a', '--partial', '--inplace', url + 'data/big', target)
        self.assertEqual(sha256_file(target + '/big'), sha256_file(self.stage.path('data/big')))

    def test_limits_and_errors_as_natively(self):
        def results(mode):
            program, url = self.daemon(mode=mode)
            statuses = []
            for arguments in ([url + 'none/x', '/dev/null'], [url + 'data/missing', self.stage.folder],
                              [self.stage.path('no'), self.stage.path('where')]):
                done = self.rsync('-a', *arguments, mode=mode, status=None, waits=False)
                statuses.append((done.status, done.err.count(b'\n')))
            program.stop()
            return statuses

        found = self.same_in_all_modes(results, 'statuses')
        self.assertEqual([status for status, _ in found], [5, 23, 23])


if __name__ == '__main__':
    run_tests()
