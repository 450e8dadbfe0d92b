"""One program under test: started natively, under kev-run or with plain LD_PRELOAD, watched, and stopped by PID.

The modes are 'native', 'kev' (kev-run, the default where KEV_RUN is set) and 'preload' (LD_PRELOAD alone).
Every program runs in a session of its own with its output in files of the test's folder, so that a failing test
can show it, and what a test leaves running is killed by its session.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time

from .counters import Counters

KEV_RUN = os.environ.get('KEV_RUN')
KEV_PRELOAD = os.environ.get('KEV_PRELOAD')


def default_mode():
    return os.environ.get('KEV_APPS_MODE') or ('kev' if KEV_RUN else 'native')


class Program:
    """A running program. `folder` takes its output and statistics; `user` runs it as another user.

    `options` are more options for kev-run; without `count` the shim keeps no statistics.
    """

    def __init__(self, argv, folder, name, mode=None, env=None, cwd=None, stdin=subprocess.DEVNULL, user=None,
                 options=(), count=True):
        self.argv, self.folder, self.name = [str(word) for word in argv], folder, name
        self.mode = mode or default_mode()
        self.statistics = os.path.join(folder, name + '.stats')
        self.out_path, self.err_path = os.path.join(folder, name + '.out'), os.path.join(folder, name + '.err')
        self.launcher, self.object = KEV_RUN, KEV_PRELOAD
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith('KEV_') and key != 'LD_PRELOAD'}
        environment.update(env or {})
        identity = {}
        if user:
            identity = {'user': user, 'group': user, 'extra_groups': []}
            self._share_object()
        command = self.argv
        if self.mode == 'kev':
            statistics = ['--stats=' + self.statistics] if count else []
            command = [self.launcher, *statistics, *options, '--', *self.argv]
        elif self.mode == 'preload':
            environment.update(LD_PRELOAD=self.object, KEV_STATS=self.statistics)
        with open(self.out_path, 'wb') as out, open(self.err_path, 'wb') as err:
            self.process = subprocess.Popen(command, stdin=stdin, stdout=out, stderr=err, env=environment,
                                            cwd=cwd or folder, start_new_session=True, **identity)
        self.pid = self.process.pid

    def _share_object(self):
        # Another user may not be allowed to enter the build folder: he gets copies beside his statistics.
        if self.mode == 'native':
            return
        shared = os.path.join(self.folder, 'shim')
        os.makedirs(shared, exist_ok=True)
        copies = []
        for original in (self.launcher, self.object):
            copy = os.path.join(shared, os.path.basename(original))
            if not os.path.exists(copy):
                shutil.copy(original, copy)
            copies.append(copy)
        self.launcher, self.object = copies

    def output(self):
        with open(self.out_path, 'rb') as file:
            return file.read()

    def errors(self):
        with open(self.err_path, 'rb') as file:
            return file.read()

    @property
    def ended_as(self):
        """The exit status, or None while the program runs."""
        return self.process.poll()

    def alive(self):
        return self.process.poll() is None

    def send(self, number):
        if self.alive():
            os.kill(self.pid, number)

    def wait(self, deadline=20):
        """Waits for the program to end by itself; returns its exit status (negative: the signal)."""
        try:
            return self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(f'{self.name} did not end within {deadline} s') from None

    def stop(self, number=signal.SIGTERM, deadline=20):
        """Sends the signal and waits; returns the exit status."""
        self.send(number)
        return self.wait(deadline)

    def kill(self):
        """Ends the program and what is left of its session, without asking."""
        for member in self.session():
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()

    def session(self):
        """The process ids of the program's session: the program itself and what it forked."""
        members = []
        for entry in os.listdir('/proc'):
            if entry.isdigit():
                with contextlib.suppress(OSError):
                    if os.getsid(int(entry)) == self.pid:
                        members.append(int(entry))
        return members

    def children(self):
        """The process ids of the program's own children."""
        found = []
        for entry in os.listdir('/proc'):
            if entry.isdigit():
                with contextlib.suppress(OSError):
                    with open(f'/proc/{entry}/stat', encoding='ascii', errors='replace') as file:
                        if int(file.read().rpartition(')')[2].split()[1]) == self.pid:
                            found.append(int(entry))
        return sorted(found)

    def wait_until(self, condition, what, deadline=15):
        """Waits until condition() is true, as long as the program runs."""
        end = time.monotonic() + deadline
        while not condition():
            if not self.alive():
                raise RuntimeError(f'{self.name} ended with {self.process.returncode} before: {what}')
            if time.monotonic() > end:
                raise TimeoutError(f'{self.name}, after {deadline} s still not: {what}')
            time.sleep(0.02)

    def counters(self):
        """What the shim counted so far, read while the program runs or after it has ended."""
        return Counters.read(KEV_RUN, self.statistics)
