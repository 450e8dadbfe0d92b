"""PostgreSQL under the shim: a postmaster that forks a process for each client, latches, and pgbench as its load.

The accounts must balance after pgbench; a crash of one server process, notifications, cancelled queries, reload
and the three ways to stop must do what they do natively. One cluster serves all cases.
"""

import glob
import os
import re
import shutil
import signal
import time

from harness import (AppTest, free_port, in_parallel, payload, run_tests, sha256, wait_for_port)

FOLDERS = sorted(glob.glob('/usr/lib/postgresql/*/bin'), key=lambda path: float(path.split('/')[4])) or ['']
SETTINGS = '''
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
max_connections = 60
fsync = off
shared_buffers = 32MB
work_mem = 8MB
log_connections = {log}
max_parallel_workers_per_gather = 2
dynamic_shared_memory_type = mmap
'''


def tool(name):
    return os.path.join(FOLDERS[-1], name)


class PostgresTest(AppTest):
    needs = (tool('postgres'), 'psql', tool('pgbench'))
    user = 'postgres' if os.getuid() == 0 else None  # the server refuses to run as root

    @classmethod
    def setUpClass(cls):
        cls.share_stage()
        cls.data = cls.shared.path('data')
        if cls.user:
            shutil.chown(cls.shared.folder, cls.user, cls.user)
        cls.shared.run([tool('initdb'), '-D', cls.data, '-U', 'postgres', '-A', 'trust', '-N', '--no-locale',
                        '-E', 'UTF8'], mode='native', user=cls.user, deadline=60)
        cls.launch()

    @classmethod
    def configure(cls, log='off'):
        with open(os.path.join(cls.data, 'postgresql.auto.conf'), 'w', encoding='ascii') as file:
            file.write(SETTINGS.format(port=cls.port, folder=cls.shared.folder, log=log))

    @classmethod
    def launch(cls):
        cls.port = free_port()
        cls.configure()
        cls.server = cls.shared.start([tool('postgres'), '-D', cls.data], user=cls.user)
        wait_for_port(cls.port, 20, cls.server.alive)
        cls.server.wait_until(lambda: b'ready to accept connections' in cls.server.errors(), 'it is ready')

    def connection(self):
        return ['-h', '127.0.0.1', '-p', str(self.port), '-U', 'postgres']

    def sql(self, *commands, **options):
        """Runs commands with psql, unaligned; returns the text."""
        words = [word for command in commands for word in ('-c', command)]
        return self.run_program([tool('psql'), *self.connection(), '-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1',
                                 *words, 'postgres'], waits=options.pop('waits', True), **options).text

    def test_1_pgbench_leaves_balanced_accounts(self):
        bench = [tool('pgbench'), *self.connection()]
        self.run_program([*bench, '-i', '-q', 'postgres'])
        before = self.server.counters().total() if self.under_the_shim() else 0
        done = self.run_program([*bench, '-c', '40', '-j', '2', '-t', '25', 'postgres'])
        self.assertIn('number of transactions actually processed: 1000/1000', done.text)
        self.assertEqual(self.sql('select count(*) from pgbench_history').strip(), '1000')
        sums = self.sql('select (select sum(abalance) from pgbench_accounts), (select sum(bbalance) from '
                        'pgbench_branches), (select sum(tbalance) from pgbench_tellers), '
                        '(select sum(delta) from pgbench_history)').strip().split('|')
        self.assertEqual(len(set(sums)), 1, sums)
        # A new connection for each transaction: every one a forked process.
        done = self.run_program([*bench, '-C', '-S', '-c', '10', '-j', '2', '-t', '10', 'postgres'])
        self.assertIn('number of transactions actually processed: 100/100', done.text)
        if self.under_the_shim():
            counters = self.server.counters()
            self.assertGreater(counters.total(), before)
            self.assertGreater(len(counters.processes), 50)

    def test_2_large_copies_in_and_out(self):
        lines = b''.join(b'%d\t%s\n' % (number, payload(300, number).hex().encode()) for number in range(20000))
        source = self.stage.write('in', lines)
        out = self.stage.path('out')
        self.sql('create table big (n int, t text)', f'\\copy big from {source}', f'\\copy big to {out}',
                 'drop table big')
        with open(out, 'rb') as file:
            self.assertEqual(sha256(file.read()), sha256(lines))

    def test_3_notifications_reach_a_listening_session(self):
        self.assertEqual(self.sql('select pg_sleep(0.1)').strip(), '')
        program = self.start([tool('psql'), *self.connection(), '-X', 'postgres', '-c', 'listen news', '-c',
                              'select pg_sleep(0.5)', '-c', 'select 1'])
        time.sleep(0.3)
        for number in range(20):
            self.sql(f"select pg_notify('news', '{number}')", waits=False)
            if not program.alive():
                break
        self.assertEqual(program.wait(), 0)
        self.assertIn('Asynchronous notification "news" with payload "0" received', program.output().decode())

    def test_4_cancel_timeout_and_lock_waits(self):
        done = self.run_program([tool('psql'), *self.connection(), '-X', 'postgres', '-c',
                                 'set statement_timeout = 200; select pg_sleep(20)'], status=1)
        self.assertIn(b'canceling statement due to statement timeout', done.err)
        program = self.start([tool('psql'), *self.connection(), '-X', 'postgres', '-c', 'select pg_sleep(20)'])
        self.eventually(lambda: self.sql("select count(*) from pg_stat_activity where query ~ 'pg_sleep.20' and "
                                         "state = 'active' and pid <> pg_backend_pid()").strip() == '1', 'it sleeps')
        program.send(signal.SIGINT)
        self.assertEqual(program.wait(5), 1)
        self.assertIn(b'canceling statement due to user request', program.errors())
        self.sql('create table counter (n int)', 'insert into counter values (0)')
        in_parallel(10, lambda _: self.sql(
            'begin', 'select n from counter for update', 'select pg_sleep(0.02)', 'update counter set n = n + 1',
            'commit'))
        self.assertEqual(self.sql('select n from counter', 'drop table counter').strip(), '10')

    def test_5_parallel_workers_and_background_processes(self):
        answer = self.sql('set parallel_setup_cost = 0', 'set parallel_tuple_cost = 0',
                          'set min_parallel_table_scan_size = 0', 'create table p as select n from '
                          'generate_series(1, 200000) n', 'analyze p', 'select sum(n) from p',
                          'explain (analyze, costs off) select sum(n) from p', 'drop table p')
        self.assertIn('20000100000', answer)
        self.assertTrue(re.search(r'Workers Launched: [12]', answer), answer)

    def test_6_reload_takes_the_new_configuration(self):
        self.assertEqual(self.sql('show log_connections').strip(), 'off')
        self.configure(log='on')
        self.server.send(signal.SIGHUP)
        self.eventually(lambda: self.sql('show log_connections').strip() == 'on', 'the new setting')
        self.assertIn(b'reloading configuration files', self.server.errors())

    def test_7_a_crash_of_one_process_restarts_the_rest(self):
        victim = int(self.sql("select pid from pg_stat_activity where backend_type = 'background writer'"))
        os.kill(victim, signal.SIGKILL)
        self.server.wait_until(lambda: b'reinitializing' in self.server.errors(), 'the crash is noticed')
        self.eventually(self.answers, 'it answers again')
        self.assertEqual(self.sql('select 42').strip(), '42')

    def answers(self):
        done = self.run_program([tool('psql'), *self.connection(), '-X', '-c', 'select 1', 'postgres'], status=None,
                                waits=False)
        return done.status == 0

    def test_8_smart_stop_waits_for_its_client_and_fast_stop_does_not(self):
        session = self.start([tool('psql'), *self.connection(), '-X', '-A', '-t', 'postgres', '-c',
                              "select pg_sleep(1), 'whole'"])
        self.eventually(lambda: '1' in self.sql("select count(*) from pg_stat_activity where query ~ 'whole' and "
                                                "pid <> pg_backend_pid()"), 'the session runs')
        self.server.send(signal.SIGTERM)
        self.assertEqual(session.wait(), 0)
        self.assertIn(b'whole', session.output())
        self.assertEqual(self.server.wait(), 0)
        type(self).launch()
        session = self.start([tool('psql'), *self.connection(), '-X', 'postgres', '-c', 'select pg_sleep(20)'])
        self.eventually(lambda: '1' in self.sql("select count(*) from pg_stat_activity where query ~ 'pg_sleep.20' "
                                                "and pid <> pg_backend_pid()"), 'the session runs')
        self.assertEqual(self.server.stop(signal.SIGINT), 0)
        self.assertEqual(session.wait(), 2)
        self.assertIn(b'terminating connection due to administrator command', session.errors())


if __name__ == '__main__':
    run_tests()
