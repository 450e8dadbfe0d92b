"""OpenSSH's sshd and ssh under the shim: privilege separation, a seccomp filter before authentication, re-execution.

The server has its own configuration and keys; the current user logs in with a key. Commands, copies, forwarded
ports and a master connection carry checked contents; SIGHUP makes the server execute itself anew.
"""

import contextlib
import getpass
import os
import signal
import subprocess

from harness import (AppTest, EchoServer, crowd, echo_round, exchange, find_program, free_port, in_parallel, payload,
                     run_tests, sha256, sha256_file, wait_for_port)

CONFIGURATION = '''
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM {pam}
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 100
MaxSessions 100
PrintMotd no
UseDNS no
# The start-up files of the user's shell are none of the test's business.
SetEnv HOME={folder}
Subsystem sftp internal-sftp
{more}
'''


def locked():
    """Tells whether the current user's account is locked: then sshd lets him in only by way of PAM."""
    with contextlib.suppress(OSError):
        with open('/etc/shadow', encoding='utf-8') as file:
            return any(line.startswith(getpass.getuser() + ':!') for line in file)
    return False


class SshTest(AppTest):
    needs = ('sshd', 'ssh', 'scp', 'sftp', 'ssh-keygen')

    @classmethod
    def setUpClass(cls):
        stage = cls.share_stage()
        for name in ('host_key', 'user_key'):
            subprocess.run([find_program('ssh-keygen'), '-q', '-t', 'ed25519', '-N', '', '-f', stage.path(name)],
                           check=True, stdin=subprocess.DEVNULL)
        with open(stage.path('user_key.pub'), encoding='ascii') as file:
            stage.write('authorized_keys', file.read())
        if os.getuid() == 0:
            os.makedirs('/run/sshd', mode=0o755, exist_ok=True)  # as the service's start makes it
        cls.server, cls.port = stage.start_server(
            lambda port: [find_program('sshd'), '-D', '-e', '-f', cls.configure(port)])

    @classmethod
    def configure(cls, port, more=''):
        return cls.shared.write('sshd_config', CONFIGURATION.format(
            port=port, folder=cls.shared.folder, more=more, pam='yes' if locked() else 'no'))

    def options(self, port_option='-p'):
        return ['-F', 'none', port_option, str(self.port), '-i', self.shared.path('user_key'), '-o',
                f'UserKnownHostsFile={self.stage.path("known_hosts")}', '-o', 'StrictHostKeyChecking=no', '-o',
                'BatchMode=yes', '-o', 'LogLevel=ERROR', '-o', 'IdentitiesOnly=yes', '-o', 'IdentityAgent=none']

    def ssh(self, *words, **options):
        return self.run_program([find_program('ssh'), *self.options(), '127.0.0.1', *words], **options)

    def test_1_commands_give_output_errors_and_status(self):
        done = self.ssh('echo out; echo error >&2; id -un; exit 5', status=5)
        self.assertEqual(done.out.decode().split(), ['out', getpass.getuser()])
        self.assertEqual(done.err, b'error\n')
        self.assertEqual(self.ssh('kill -9 $$', status=255).status, 255)

    def test_2_twenty_sessions_at_once(self):
        for index, done in enumerate(in_parallel(20, lambda index: self.ssh(f'cat /etc/passwd; echo {index}'))):
            with open('/etc/passwd', 'rb') as file:
                self.assertEqual(done.out, file.read() + b'%d\n' % index)
        if self.under_the_shim():
            # The listener, its processes for connections, and their unprivileged children.
            self.assertGreater(len(self.server.counters().processes), 20)

    def test_3_large_transfers_through_a_session(self):
        source = self.stage.write('in', payload(32 << 20, 1))
        with open(source, 'rb') as stdin:
            self.assertEqual(sha256(self.ssh('cat', stdin=stdin).out), sha256_file(source))
        self.assertEqual(sha256(self.ssh(f'cat {source}').out), sha256_file(source))

    def test_4_copies_by_scp_and_sftp(self):
        source, there, back = self.stage.write('in', payload(16 << 20, 2)), self.stage.path('there'), \
            self.stage.path('back')
        self.run_program([find_program('scp'), '-q', *self.options('-P'), source, f'127.0.0.1:{there}'])
        self.assertEqual(sha256_file(there), sha256_file(source))
        batch = self.stage.write('batch', f'get {there} {back}\nrm {there}\nls -1 {self.stage.folder}\n')
        done = self.run_program([find_program('sftp'), '-q', '-b', batch, *self.options('-P'), '127.0.0.1'])
        self.assertEqual(sha256_file(back), sha256_file(source))
        self.assertFalse(os.path.exists(there))
        self.assertIn(b'back', done.out)

    def test_5_forwarded_ports_carry_many_connections(self):
        echo = EchoServer()
        self.addCleanup(echo.close)
        forward, back = free_port(), free_port()
        client = self.start([find_program('ssh'), *self.options(), '-N', '-o', 'ExitOnForwardFailure=yes',
                             '-L', f'127.0.0.1:{forward}:127.0.0.1:{echo.port}',
                             '-R', f'127.0.0.1:{back}:127.0.0.1:{echo.port}', '127.0.0.1'], core=True)
        wait_for_port(forward, 15, client.alive)
        wait_for_port(back, 15, client.alive)
        data = payload(2 << 20, 3)
        for port in (forward, back):
            with crowd(port, 50) as sockets:
                for number in range(5):
                    echo_round(self, sockets, f'round{number}')
                for answer in in_parallel(5, lambda _, port=port: exchange(port, data)):
                    self.assertEqual(sha256(answer), sha256(data))
        self.assertIn(client.stop(signal.SIGTERM), (0, 255))  # by version

    def test_6_a_master_connection_with_many_sessions(self):
        control = self.stage.path('control')
        master = self.start([find_program('ssh'), *self.options(), '-M', '-N', '-S', control, '127.0.0.1'])
        master.wait_until(lambda: os.path.exists(control), 'the master listens')
        answers = in_parallel(30, lambda index: self.run_program(
            [find_program('ssh'), '-F', 'none', '-S', control, '127.0.0.1', f'head -c 100000 /dev/zero; echo {index}']))
        for index, done in enumerate(answers):
            self.assertEqual(done.out, bytes(100000) + b'%d\n' % index)
        self.run_program([find_program('ssh'), '-F', 'none', '-S', control, '-O', 'exit', '127.0.0.1'],
                         waits=False)
        master.wait()

    def test_7_terminals(self):
        done = self.run_program([find_program('ssh'), *self.options(), '-tt', '127.0.0.1',
                                 'tty; stty size; echo end'], stdin=subprocess.DEVNULL)
        self.assertIn(b'/dev/pts/', done.out)
        self.assertTrue(done.out.endswith(b'end\r\n'), done.out)

    def test_8_reload_executes_the_server_anew_and_keeps_sessions(self):
        session = self.start([find_program('ssh'), *self.options(), '127.0.0.1',
                              'echo started; sleep 1; echo whole'])
        session.wait_until(lambda: session.output() == b'started\n', 'the session runs')
        self.configure(self.port, more='ForceCommand echo forced')
        starts = self.server.errors().count(b'Server listening')
        self.server.send(signal.SIGHUP)
        self.server.wait_until(lambda: self.server.errors().count(b'Server listening') > starts, 'it listens again')
        self.assertEqual(self.ssh('echo free').out, b'forced\n')
        self.assertEqual((session.wait(), session.output()), (0, b'started\nwhole\n'))

    def test_9_stop(self):
        self.assertEqual(self.server.stop(signal.SIGTERM), 0)


if __name__ == '__main__':
    run_tests()
