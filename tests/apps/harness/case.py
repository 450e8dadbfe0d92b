"""The base of all tests: a folder, the programs started in it, and the proof that the shim was at work in them.

A test starts programs with start() and run(). When it ends, everything is stopped, and every program that ran
under the shim must have counted waits; one started with core=True must have had some answered by the core.
A class can keep programs for all of its tests on a stage of its own: `cls.share_stage()` in setUpClass.
"""

import os
import shutil
import subprocess
import tempfile
import time
import unittest

from .ports import free_port, wait_for_port
from .program import KEV_RUN, Program, default_mode

SEARCH_PATH = os.pathsep.join(['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin', '/usr/games'])


def find_program(name):
    """The distribution's program of that name, or None. PATH may hold others in front of it."""
    return shutil.which(name, path=SEARCH_PATH) or shutil.which(name)


class Finished:
    """What a program that ran to its end left behind."""

    def __init__(self, program, status):
        self.program, self.status = program, status
        self.out, self.err = program.output(), program.errors()

    @property
    def text(self):
        return self.out.decode(errors='replace')


class Stage:
    """A temporary folder and the programs that run in it."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix='kev-')
        os.chmod(self.folder, 0o755)  # daemons that give up root must be able to enter
        self.programs, self.watched, self.counter = [], [], 0

    def start(self, argv, mode=None, waits=True, core=False, name=None, **options):
        """Starts a program. `waits`: it must have made waits; `core`: some must have been answered by the core."""
        self.counter += 1
        name = f'{self.counter}-{name or os.path.basename(str(argv[0]))}'
        program = Program(argv, self.folder, name, mode, **options)
        self.programs.append(program)
        if program.mode != 'native' and (waits or core):
            self.watched.append((program, core))
        return program

    def start_server(self, make_argv, deadline=15, **options):
        """Starts make_argv(port) on a free port and waits until it listens; returns (program, port).

        If the program ends at once, as it does when its port was taken meanwhile, another port is tried.
        """
        for attempt in range(3):
            port = free_port()
            program = self.start(make_argv(port), **options)
            try:
                wait_for_port(port, deadline, program.alive)
                return program, port
            except RuntimeError:
                if attempt == 2 or b'in use' not in program.errors() + program.output():
                    raise
                self.programs.remove(program)
                self.watched = [pair for pair in self.watched if pair[0] is not program]
        raise AssertionError('not reached')

    def run(self, argv, deadline=30, status=0, **options):
        """Runs a program to its end and checks its exit status (None: any)."""
        program = self.start(argv, **options)
        finished = Finished(program, program.wait(deadline))
        if status is not None and finished.status != status:
            raise AssertionError(f'{program.name} ended with {finished.status}, not {status}: '
                                 f'{finished.err.decode(errors="replace")[-2000:]}')
        return finished

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, content, mode=0o644):
        """Writes a file of the folder and returns its path."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'wb') as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        os.chmod(path, mode)
        return path

    def close(self):
        """Stops what still runs and removes the folder; returns what was wrong with the shim's counters."""
        complaints = []
        for program in self.programs:
            program.kill()
        for program, core in self.watched:
            try:
                counters = program.counters()
            except (OSError, ValueError, RuntimeError, subprocess.SubprocessError) as error:
                complaints.append(f'{program.name}: no statistics: {error}')
                continue
            if os.environ.get('KEV_APPS_VERBOSE'):
                print(f'# {program.name}: {counters.describe()}', flush=True)
            if not counters.total():
                complaints.append(f'{program.name}: the shim saw no wait: {counters.describe()}')
            elif core and not counters.total('core'):
                complaints.append(f'{program.name}: the core answered nothing: {counters.describe()}')
        shutil.rmtree(self.folder, ignore_errors=True)
        return complaints

    def describe(self, lines=25, most=12):
        """The ends of the output of programs that still ran or failed, for the message of a failing test."""
        text = []
        notable = [program for program in self.programs if program.ended_as != 0][-most:]
        for program in notable:
            text.append(f'{program.name} ({program.mode}): '
                        + ('was running' if program.ended_as is None else f'status {program.ended_as}'))
            for kind, content in (('out', program.output()), ('err', program.errors())):
                tail = content[-4000:].decode(errors='replace').splitlines()[-lines:]
                text += [f'  {kind}| {line[:300]}' for line in tail]
        return '\n'.join(text)


class AppTest(unittest.TestCase):
    """One topic of one program. `needs` names the programs without which the whole file is skipped."""

    needs = ()
    shared = None
    maxDiff = 2000

    def setUp(self):
        self.stage = Stage()
        self.addCleanup(self._close)

    def _close(self):
        self.log = self.stage.describe() + ('\n' + self.shared.describe() if self.shared else '')
        complaints = self.stage.close()
        if complaints:
            self.fail('\n'.join(complaints))

    @classmethod
    def share_stage(cls):
        """Makes the stage whose programs serve all tests of the class; for setUpClass."""
        cls.shared = Stage()
        cls.addClassCleanup(cls._close_shared)
        return cls.shared

    @classmethod
    def _close_shared(cls):
        complaints = cls.shared.close()
        cls.shared = None
        if complaints:
            raise AssertionError('\n'.join(complaints))

    def start(self, argv, **options):
        return self.stage.start(argv, **options)

    def start_server(self, make_argv, **options):
        return self.stage.start_server(make_argv, **options)

    def run_program(self, argv, **options):
        return self.stage.run(argv, **options)

    def under_the_shim(self):
        return default_mode() != 'native'

    def modes(self):
        """The modes whose results are to be compared: native, and the shim where there is one."""
        return ['native'] + ([default_mode() if self.under_the_shim() else 'kev'] if KEV_RUN else [])

    def same_in_all_modes(self, result, what):
        """Checks that result(mode) is the same natively and under the shim; returns it."""
        native = result('native')
        for mode in self.modes()[1:]:
            self.assertEqual(native, result(mode), f'{what}: native and {mode} differ')
        return native

    def eventually(self, condition, what, deadline=10):
        """Waits until condition() is true."""
        end = time.monotonic() + deadline
        while not condition():
            if time.monotonic() > end:
                self.fail(f'after {deadline} s still not: {what}')
            time.sleep(0.02)
